// ONNX Runtime as a peer of bench/infer: one network, one batch, one thread, timed on request.
//     node ort_peer.js MODULES_FOLDER FILE.onnx BATCH INPUT.npy OUTPUT.f32
// Prints "ready VERSION" once the network has run three times; then, for each line "N" that it reads, runs N times and prints
// wall and CPU seconds of those runs.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');

const [modules, file, batch, input, output] = process.argv.slice(2);
const root = path.join(path.resolve(modules), 'node_modules', 'onnxruntime-node');
const ort = require(root);
const version = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).version;

// The arrays that the driver writes: version 1.0, float32, C order.
function readNpy(name) {
    const bytes = fs.readFileSync(name);
    const end = 10 + bytes.readUInt16LE(8);
    const shape = /'shape': \(([^)]*)\)/.exec(bytes.toString('latin1', 10, end))[1];
    const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + end, bytes.byteOffset + bytes.length));
    return new ort.Tensor('float32', data, shape.split(',').filter((s) => s.trim()).map(Number));
}

async function main() {
    const session = await ort.InferenceSession.create(file, {
        executionProviders: ['cpu'],
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        freeDimensionOverrides: {N: Number(batch)},
        logSeverityLevel: 3,
    });
    const feeds = {[session.inputNames[0]]: readNpy(input)};
    let result;
    for (let i = 0; i < 3; i++) result = await session.run(feeds);
    const data = result[session.outputNames[0]].data;
    fs.writeFileSync(output, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    console.log(`ready ONNX Runtime ${version}`);
    for await (const line of readline.createInterface({input: process.stdin})) {
        const cpu = process.cpuUsage();
        const began = process.hrtime.bigint();
        for (let i = Number(line); i > 0; i--) await session.run(feeds);
        const wall = Number(process.hrtime.bigint() - began) / 1e9;
        const used = process.cpuUsage(cpu);
        console.log(`${wall} ${(used.user + used.system) / 1e6}`);
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
