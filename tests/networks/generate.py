"""Networks of every type, and what they add to weights, computed from the formulas in f64 by NumPy alone.

    generate.py FOLDER

writes NAME.safetensors (the network) and NAME.txt: for each key of the result its name, its shape, and a few of its elements as
`index value`. tests/test_networks.c compares them with what mecha makes of the networks. Run again only when a case is added."""
import json, struct, sys
import numpy as np

random = np.random.default_rng(20260101)


def draw(*shape):
    """Numbers that f32 holds, so that rounding is no part of the comparison."""
    return random.standard_normal(shape).astype(np.float32).astype(np.float64)


def save(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        raw = np.asarray(value, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(np.shape(value)), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def matrix(x):
    return x.reshape(x.shape[0], -1)


def tucker(core, a, b):
    """a: [rank, out], b: [rank, in]"""
    return np.einsum("ij...,ip,jr->pr...", core, a, b)


# One function a type: the tensors of a module for a weight of that shape, and what they add to it.


def lora(shape, rank=2, alpha=3.0):
    kernel = (1,) * (len(shape) - 2)
    up, down = draw(shape[0], rank, *kernel), draw(rank, *shape[1:])
    delta = (matrix(up) @ matrix(down)).reshape(shape) * alpha / rank
    return {"lora_up.weight": up, "lora_down.weight": down, "alpha": alpha}, delta


def lora_without_alpha(shape, rank=1):
    tensors, delta = lora(shape, rank, float(rank))
    del tensors["alpha"]
    return tensors, delta


def lora_tucker(shape, rank=2, alpha=1.5):
    up, down = draw(shape[0], rank, 1, 1), draw(rank, shape[1], 1, 1)
    mid = draw(rank, rank, *shape[2:])
    delta = tucker(mid, matrix(up).T, matrix(down)) * alpha / rank
    return {"lora_up.weight": up, "lora_mid.weight": mid, "lora_down.weight": down, "alpha": alpha}, delta


def loha(shape, rank=2, alpha=1.5):
    columns = int(np.prod(shape[1:]))
    w1_a, w1_b, w2_a, w2_b = draw(shape[0], rank), draw(rank, columns), draw(shape[0], rank), draw(rank, columns)
    delta = ((w1_a @ w1_b) * (w2_a @ w2_b)).reshape(shape) * alpha / rank
    return {"hada_w1_a": w1_a, "hada_w1_b": w1_b, "hada_w2_a": w2_a, "hada_w2_b": w2_b, "alpha": alpha}, delta


def loha_tucker(shape, rank=2, alpha=1.0):
    parts = {}
    factors = []
    for i in (1, 2):
        core, a, b = draw(rank, rank, *shape[2:]), draw(rank, shape[0]), draw(rank, shape[1])
        parts |= {f"hada_t{i}": core, f"hada_w{i}_a": a, f"hada_w{i}_b": b}
        factors.append(tucker(core, a, b))
    return parts | {"alpha": alpha}, factors[0] * factors[1] * alpha / rank


def lokr(shape, first=2, rank=2, alpha=3.0):
    """The second factor is factored."""
    w1 = draw(first, first)
    w2_a, w2_b = draw(shape[0] // first, rank), draw(rank, shape[1] // first * int(np.prod(shape[2:])))
    w2 = (w2_a @ w2_b).reshape(shape[0] // first, shape[1] // first, *shape[2:])
    delta = np.kron(w1.reshape(w1.shape + (1,) * (len(shape) - 2)), w2) * alpha / rank
    return {"lokr_w1": w1, "lokr_w2_a": w2_a, "lokr_w2_b": w2_b, "alpha": alpha}, delta


def kronecker(w1, w2):
    return np.kron(w1.reshape(w1.shape + (1,) * (w2.ndim - 2)), w2)


def lokr_whole(shape, first=2, alpha=3.0):
    """Neither factor is factored: there is no rank, and alpha means nothing."""
    w1, w2 = draw(first, first), draw(shape[0] // first, shape[1] // first, *shape[2:])
    return {"lokr_w1": w1, "lokr_w2": w2, "alpha": alpha}, kronecker(w1, w2)


def lokr_first(shape, first=4, rank=2, alpha=3.0):
    w1_a, w1_b = draw(first, rank), draw(rank, first)
    w2 = draw(shape[0] // first, shape[1] // first, *shape[2:])
    return {"lokr_w1_a": w1_a, "lokr_w1_b": w1_b, "lokr_w2": w2, "alpha": alpha}, kronecker(w1_a @ w1_b, w2) * alpha / rank


def lokr_both(shape, first=4, rank=2, alpha=3.0):
    w1_a, w1_b = draw(first, rank), draw(rank, first)
    w2_a, w2_b = draw(shape[0] // first, rank), draw(rank, shape[1] // first * int(np.prod(shape[2:])))
    w2 = (w2_a @ w2_b).reshape(shape[0] // first, shape[1] // first, *shape[2:])
    tensors = {"lokr_w1_a": w1_a, "lokr_w1_b": w1_b, "lokr_w2_a": w2_a, "lokr_w2_b": w2_b, "alpha": alpha}
    return tensors, kronecker(w1_a @ w1_b, w2) * alpha / rank


def lokr_tucker(shape, first=2, rank=2, alpha=3.0):
    w1, core = draw(first, first), draw(rank, rank, *shape[2:])
    w2_a, w2_b = draw(rank, shape[0] // first), draw(rank, shape[1] // first)
    tensors = {"lokr_w1": w1, "lokr_t2": core, "lokr_w2_a": w2_a, "lokr_w2_b": w2_b, "alpha": alpha}
    return tensors, kronecker(w1, tucker(core, w2_a, w2_b)) * alpha / rank


def difference(shape):
    diff = draw(*shape)
    return {"diff": diff}, diff


TYPES = [lora, lora_without_alpha, lora_tucker, loha, loha_tucker, lokr, difference]

# What a naming calls a module, and the key and shape of its weight. The smallest weights of each architecture: a matrix, and a
# convolution where there is one.
ARCHITECTURES = {
    "sd1": ("sd1-ldm", "vae_quant_conv", "first_stage_model.quant_conv.weight", (8, 8, 1, 1)),
    "sdxl": ("sdxl-sgm", "first_stage_model_decoder_conv_in", "first_stage_model.decoder.conv_in.weight", (512, 4, 3, 3)),
    "sd3": ("sd3-comfyui", "unet_x_embedder_proj", "model.diffusion_model.x_embedder.proj.weight", (1536, 16, 2, 2)),
    "sd3_matrix": ("sd3-comfyui", "unet_final_layer_linear", "model.diffusion_model.final_layer.linear.weight", (64, 1536)),
    "flux": ("flux-flux", "unet_img_in", "model.diffusion_model.img_in.weight", (3072, 64)),
}


def write(folder, architecture, prefix, kind):
    target, module, key, shape = ARCHITECTURES[architecture]
    if (len(shape) == 2 and "tucker" in kind.__name__) or (kind is difference and np.prod(shape) > 20000):
        return
    tensors, delta = kind(shape)
    name = f"{architecture}-{prefix}-{kind.__name__}"
    save(f"{folder}/{name}.safetensors", {f"{prefix}_{module}.{part}": value for part, value in tensors.items()})
    flat = delta.reshape(-1)
    picked = sorted(set(random.integers(0, flat.size, 24).tolist()) | {0, flat.size - 1})
    with open(f"{folder}/{name}.txt", "w") as file:
        print(target, key, "x".join(map(str, shape)), file=file)
        for i in picked:
            print(i, repr(float(flat[i])), file=file)


folder = sys.argv[1]
for architecture in ARCHITECTURES:
    for kind in TYPES:
        write(folder, architecture, "lora", kind)
for kind in TYPES:
    write(folder, "sd1", "lycoris", kind)
for architecture in ("sdxl", "sd3", "flux"):
    write(folder, architecture, "lycoris", lora)
for kind in (lokr_whole, lokr_first, lokr_both, lokr_tucker):
    write(folder, "sd1", "lora", kind)
write(folder, "sdxl", "lora", lokr_tucker)
