# cmake -DSOURCE=THIS-FOLDER -DCACHE=FOLDER -DOUT=FILE -DNPM=npm -DNODE=node [-DGIVEN=FILE] -P charts.cmake
# In: the sources here and the packages of package-lock.json, from npm's registry. Out: OUT, the charts of report.html as one
# script; empty, with a warning, where npm or the registry is not to be had: fakesift then writes reports without charts.
#
# CACHE keeps the script for other build folders, under a name made from everything that goes into it.
set(files package.json package-lock.json bundle.mjs charts.js specs.js)
if(GIVEN)
    configure_file(${GIVEN} ${OUT} COPYONLY)
    return()
endif()
set(all "")
foreach(name ${files})
    file(SHA256 ${SOURCE}/${name} hash)
    string(APPEND all ${hash})
endforeach()
string(SHA256 key "${all}")
set(kept ${CACHE}/charts-${key}.js)
if(NOT EXISTS ${kept})
    # A folder of its own, since several builds may do this at once.
    string(RANDOM LENGTH 8 suffix)
    set(work ${CACHE}/charts-${key}.${suffix})
    file(MAKE_DIRECTORY ${work})
    foreach(name ${files})
        configure_file(${SOURCE}/${name} ${work}/${name} COPYONLY)
    endforeach()
    set(result "npm and node are not installed")
    set(said "")
    if(NPM AND NODE)
        # No package's own scripts are run.
        execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=60000
                        WORKING_DIRECTORY ${work} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
        if(result EQUAL 0)
            execute_process(COMMAND ${NODE} bundle.mjs charts-${key}.js
                            WORKING_DIRECTORY ${work} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
            if(NOT result EQUAL 0)
                # The packages are there, so this is a mistake in the sources.
                file(REMOVE_RECURSE ${work})
                message(FATAL_ERROR "the charts of report.html cannot be bundled:\n${said}")
            endif()
            file(RENAME ${work}/charts-${key}.js ${kept})
        endif()
    endif()
    file(REMOVE_RECURSE ${work})
    if(NOT result EQUAL 0)
        string(REGEX MATCH "npm [^\n]*code[^\n]*" said "${said}")
        if(said STREQUAL "")
            set(said ${result})
        endif()
        message(WARNING "report.html will have no charts: npm could not get their library (${said}).\n"
            "Its tables stay. To try again: rm ${OUT} and build; without a network: -DFAKESIFT_CHARTS_JS=FILE, "
            "the same file of another build.")
        file(WRITE ${OUT} "")
        return()
    endif()
endif()
configure_file(${kept} ${OUT} COPYONLY)
