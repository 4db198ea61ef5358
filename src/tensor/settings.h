/* The settings beside a network: adapter_config.json, as PEFT writes it. Each number in it, and
 * each flag that is true, becomes a tensor of one element, `adapter_config.json/NAME`; of an object
 * of numbers by patterns one for each module that a pattern matches,
 * `adapter_config.json/NAME/MODULE`, and of a list of modules one for each that is in it. The file
 * itself is one: `adapter_config.json`. */
#ifndef TENSOR_SETTINGS_H
#define TENSOR_SETTINGS_H

#include "base/vector.h"
#include "tensor/reader.h"
#include "tensor/refuse.h"

typedef VECTOR(Tensor) SettingVector;

/* Adds those of the model at PATH, whose tensors are given, to OUT. False after a message. */
bool settings_read(Arena *arena, Text path, const Tensor *tensors, size_t n_tensors,
                   SettingVector *out, const Refusal *refusal);

#endif
