/* onnx_mutator: changes an ONNX file as one who knows the format would: other operators, names, shapes, attributes, numbers.
 * In: protobuf bytes. Out: bytes that are mostly valid protobuf again. No memory beyond the buffers given. */
#ifndef FAKESIFT_TESTS_FUZZ_ONNX_MUTATOR_H
#define FAKESIFT_TESTS_FUZZ_ONNX_MUTATOR_H

#include <stddef.h>
#include <stdint.h>

/* Changes data[0..len) in place, growing to at most room bytes; the new length, 0 when nothing could be changed. */
size_t onnx_mutate(uint8_t *data, size_t len, size_t room, unsigned seed);

#endif
