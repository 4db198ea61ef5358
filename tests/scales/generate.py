"""Models in 8-bit floats with scales, as they are found, and what merges of them hold, computed in f64 by NumPy alone.

    generate.py FOLDER RECIPES

writes FOLDER/scaled.safetensors, scales that are not known (unknown-*.safetensors), plain.safetensors with weights in f32 for the
same keys, and RECIPES/scales*.mecha, whose comments are what tests/test_recipes.c expects of them."""
import json, struct, sys
import numpy as np

random = np.random.default_rng(20260214)
folder, recipes = sys.argv[1:]


def decode(byte, exponent_bits, mantissa_bits):
    """The value of an 8-bit float without infinities in its range."""
    bias = 2 ** (exponent_bits - 1) - 1
    exponent, mantissa = byte >> mantissa_bits & 2**exponent_bits - 1, byte & 2**mantissa_bits - 1
    value = (mantissa / 2**mantissa_bits + (exponent > 0)) * 2.0 ** (max(exponent, 1) - bias)
    return -value if byte & 128 else value


FORMATS = {"F8_E4M3": (4, 3), "F8_E5M2": (5, 2)}


def weight(dtype, *shape):
    """Bytes of finite values, and the values."""
    raw = random.integers(0, 120, shape).astype(np.uint8) | random.integers(0, 2, shape).astype(np.uint8) << 7
    return (dtype, raw), np.vectorize(lambda byte: decode(int(byte), *FORMATS[dtype]))(raw)


def numbers(*shape):
    """Of f32, and as it."""
    value = np.asarray(random.uniform(0.001, 0.02, shape)).astype("<f4")
    return ("F32", value), value.astype(np.float64)


def save(name, tensors):
    header, data = {}, b""
    for key, (dtype, value) in tensors.items():
        raw = np.ascontiguousarray(value).tobytes()
        header[key] = {"dtype": dtype, "shape": list(np.shape(value)), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{folder}/{name}.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


tensors, values = {"scaled_fp8": ("F8_E4M3", np.zeros(0, np.uint8))}, {}
for key, dtype, shape, scale, other in [
    ("a", "F8_E4M3", (4, 3), ("scale_weight", ()), "scale_input"),
    ("b", "F8_E5M2", (2, 5), ("weight_scale", (1,)), "input_scale"),
    ("c", "F8_E4M3", (4, 3), ("weight_scale", (4, 1)), None),
    ("d", "F8_E4M3", (3, 2, 1, 2), ("scale_weight", (3,)), None),
    ("e", "F8_E4M3", (4, 3), ("scale_weight", ()), None),
    ("f", "F8_E4M3", (2, 2), None, None),
]:
    tensors[f"{key}.weight"], values[f"{key}.weight"] = weight(dtype, *shape)
    if scale is not None:
        tensors[f"{key}.{scale[0]}"], by = numbers(*scale[1])
        values[f"{key}.weight"] = values[f"{key}.weight"] * by.reshape([-1 if by.size > 1 else 1] + [1] * (len(shape) - 1))
    if other is not None:
        tensors[f"{key}.{other}"] = numbers()[0]
tensors["b.comfy_quant"] = ("U8", np.frombuffer(b'{"format": "float8_e5m2"}', np.uint8))
tensors["a.bias"], values["a.bias"] = numbers(4)
save("scaled", tensors)
plain = {key: np.asarray(random.standard_normal(value.shape)).astype("<f4") for key, value in values.items()}
save("plain", {key: ("F32", value) for key, value in plain.items()})


def write_recipe(name, lines, results):
    with open(f"{recipes}/{name}.mecha", "w") as file:
        print("# Written by tests/scales/generate.py.", file=file)
        print("\n".join(lines), file=file)
        print("# keys:", " ".join(results), file=file)
        for key, value in results.items():
            print(f"# expect: {key}", " ".join(f"{x:.9g}" for x in value.reshape(-1)), file=file)


MODELS = ['scaled = model("scaled.safetensors")', 'plain = model("plain.safetensors")']
write_recipe("scales", MODELS[:1] + ["save scaled, dtype = f32"], values)
write_recipe("scales_merged", MODELS + ["save 0.75 * scaled + 0.25 * plain, dtype = f32"],
             {key: 0.75 * value + 0.25 * plain[key].astype(np.float64) for key, value in values.items()})
write_recipe("scales_norm", MODELS + ["method normal(a: S) -> S { a / norm(a) }", "save normal(scaled), dtype = f64"],
             {key: value / np.sqrt((value**2).sum()) for key, value in values.items()})
for name, dtype, shape, scale_dtype, scale in [
    ("blocks", "F8_E4M3", (4, 4), "F32", np.ones((2, 2), "<f4")),
    ("integers", "I8", (4, 4), "F32", np.ones((), "<f4")),
    ("powers", "F8_E4M3", (4, 4), "F8_E8M0", np.ones((4, 1), np.uint8)),
]:
    save(f"unknown-{name}", {"x.weight": (dtype, np.zeros(shape, np.uint8)), "x.weight_scale": (scale_dtype, scale)})

NAN, TWO = np.uint8(0x7F), np.uint8(0x40)
one = np.full(2, 0x38, np.uint8)
scalar = lambda x: ("F32", np.asarray(x, "<f4"))
save("unfinite", {
    "a.weight": ("F8_E4M3", one), "a.scale_weight": scalar(np.nan),
    "b.weight": ("F8_E4M3", np.array([NAN, TWO])), "b.scale_weight": scalar(2),
    "c.weight": ("F8_E4M3", np.array([NAN, TWO])), "c.scale_weight": scalar(np.inf),
    "d.weight": ("F8_E4M3", np.array([TWO, TWO])), "d.scale_weight": scalar(3),
})
