"""Networks of every type, and what they add to weights, computed from the formulas in f64 by NumPy alone.

    generate.py FOLDER

writes NAME.safetensors (the network) and NAME.txt: config, key and shape of what it changes, whether that depends on the weight
of the base, and a few elements of the change as `index value`. tests/test_networks.c compares them with what mecha makes of the
networks, for a base that is `base` below. Run again only when a case is added; those before it stay as they are."""
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


def base(shape):
    """The weight that is changed, where it matters: the same numbers in tests/test_networks.c."""
    return ((np.arange(np.prod(shape)) * 7919 % 1009 - 504) / 1024).reshape(shape)


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
    write_case(folder, f"{architecture}-{prefix}-{kind.__name__}", target, f"{prefix}_{module}", key, "alone", kind(shape))


def write_case(folder, name, target, module, key, how, case):
    tensors, delta = case
    before = module + "." if module else ""
    save(f"{folder}/{name}.safetensors", {before + part: value for part, value in tensors.items()})
    flat = delta.reshape(-1)
    picked = sorted(set(random.integers(0, flat.size, 24).tolist()) | {0, flat.size - 1})
    with open(f"{folder}/{name}.txt", "w") as file:
        print(target, key, "x".join(map(str, delta.shape)), how, file=file)
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

# ---- types whose change depends on the weight of the base ----


def decomposed(kind, axis):
    """DoRA on top of KIND: magnitudes of outputs (axis 0) or inputs (1)."""

    def case(shape):
        tensors, delta = kind(shape)
        moved = base(shape) + delta
        others = tuple(i for i in range(len(shape)) if i != axis)
        scale = np.abs(draw(*[n if i == axis else 1 for i, n in enumerate(shape)])) + np.float32(0.5)
        scale = scale.astype(np.float32).astype(np.float64)
        norms = np.sqrt((moved**2).sum(axis=others, keepdims=True))
        return tensors | {"dora_scale": scale}, moved * scale / norms - base(shape)

    case.__name__ = f"dora_{'outputs' if axis == 0 else 'inputs'}_{kind.__name__}"
    return case


def ia3_outputs(shape):
    factor = draw(shape[0]) if len(shape) == 2 else draw(1, shape[0], *[1] * (len(shape) - 2))
    delta = base(shape) * factor.reshape(-1, *[1] * (len(shape) - 1))
    return {"weight": factor, "on_input": 0.0}, delta


def ia3_inputs(shape):
    factor = draw(shape[1]) if len(shape) == 2 else draw(1, shape[1], *[1] * (len(shape) - 2))
    return {"weight": factor, "on_input": 1.0}, base(shape) * factor.reshape(1, -1, *[1] * (len(shape) - 2))


def turned_inputs(shape, product):
    return np.einsum("oi...,ij->oj...", base(shape), product)


def glora(shape, rank=2, alpha=1.5):
    kernel = (1,) * (len(shape) - 2)
    a1, a2 = draw(shape[1], rank, *kernel), draw(rank, shape[1], *kernel)
    b1, b2 = draw(shape[0], rank, *kernel), draw(rank, *shape[1:])
    delta = turned_inputs(shape, matrix(a1) @ matrix(a2)) + (matrix(b1) @ matrix(b2)).reshape(shape)
    parts = {"a1.weight": a1, "a2.weight": a2, "b1.weight": b1, "b2.weight": b2, "alpha": alpha}
    return parts, delta * alpha / rank


def glora_tucker(shape, rank=2, alpha=1.5):
    a1, a2 = draw(shape[1], rank, 1, 1), draw(rank, shape[1], 1, 1)
    b1, b2, core = draw(shape[0], rank, 1, 1), draw(rank, shape[1], 1, 1), draw(rank, rank, *shape[2:])
    delta = turned_inputs(shape, matrix(a1) @ matrix(a2)) + tucker(core, matrix(b1).T, matrix(b2))
    parts = {"a1.weight": a1, "a2.weight": a2, "b1.weight": b1, "b2.weight": b2, "bm.weight": core, "alpha": alpha}
    return parts, delta * alpha / rank


def glora_first(shape, rank=2, alpha=1.5):
    """As the first versions had it: the halves of both products the other way round."""
    a1, a2, b1, b2 = draw(rank, shape[1]), draw(shape[1], rank), draw(rank, shape[1]), draw(shape[0], rank)
    delta = (base(shape) @ a2 @ a1 + b2 @ b1) * alpha / rank
    return {"a1.weight": a1, "a2.weight": a2, "b1.weight": b1, "b2.weight": b2, "alpha": alpha}, delta


def cayley(blocks, alpha, n):
    q = blocks - np.swapaxes(blocks, -1, -2)
    size = np.sqrt((q**2).sum()) + 1e-8
    if alpha > 0 and size > alpha * n:
        q = q * (alpha * n / size)
    one = np.eye(q.shape[-1])
    return (one + q) @ np.linalg.inv(one - q)


def oft(shape, alpha=0.0, rescale=False, blocks=2):
    size = shape[0] // blocks
    q = draw(blocks, size, size)
    r = cayley(q, alpha, shape[0])
    w = base(shape).reshape(blocks, size, -1)
    turned = np.einsum("knm,knp->kmp", r, w).reshape(shape)
    parts = {"oft_blocks": q, "alpha": alpha}
    if rescale:
        parts["rescale"] = draw(shape[0], *[1] * (len(shape) - 1))
        turned = turned * parts["rescale"]
    return parts, turned - base(shape)


def oft_constrained(shape):
    return oft(shape, alpha=0.125)


def oft_rescaled(shape):
    return oft(shape, rescale=True)


def boft(shape, alpha=0.0, rescale=False, size=4):
    n, count = shape[0], shape[0] // size
    stages = bin(count - 1).count("1") + 1
    q = draw(stages, count, size, size)
    r = cayley(q, alpha, n)
    x = base(shape).reshape(n, -1)
    for i in range(stages):
        k = 2**i * (size // 2)
        order = np.arange(n).reshape(-1, 2, k).transpose(0, 2, 1).reshape(-1)
        shuffled = x[order].reshape(count, size, -1)
        moved = np.einsum("bij,bjp->bip", r[i], shuffled).reshape(n, -1)
        x = np.empty_like(moved)
        x[order] = moved
    parts = {"oft_blocks": q, "alpha": alpha}
    if rescale:
        parts["rescale"] = draw(n, *[1] * (len(shape) - 1))
        x = x * parts["rescale"].reshape(-1, 1)
    return parts, x.reshape(shape) - base(shape)


def boft_constrained(shape):
    return boft(shape, alpha=0.125)


def boft_rescaled(shape):
    return boft(shape, rescale=True)


def oft_parts(shape, alpha=0.125):
    """Query, key and value of one matrix, each with its own blocks and its own constraint."""
    n = shape[0] // 3
    parts, deltas = {"alpha": alpha}, []
    for i in range(3):
        q = draw(2, n // 2, n // 2)
        r = cayley(q, alpha, n)
        w = base(shape)[i * n : (i + 1) * n]
        deltas.append(np.einsum("knm,knp->kmp", r, w.reshape(2, n // 2, -1)).reshape(w.shape) - w)
        parts[f"oft_blocks.{i}"] = q
    return parts, np.concatenate(deltas)


def alone(part):
    def case(shape):
        value = draw(*shape)
        return {part: value}, value

    case.__name__ = part
    return case


# Weights of small models of each architecture: a module, the key of its weight, and a shape.
SMALL = {
    "sd1": ("sd1-ldm", [
        ("unet_down_blocks_0_resnets_0_conv1", "model.diffusion_model.input_blocks.1.0.in_layers.2.weight", (8, 6, 3, 3)),
        ("te_text_model_encoder_layers_0_mlp_fc1", "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight", (12, 8)),
    ]),
    "sdxl": ("sdxl-sgm", [
        ("unet_input_blocks_1_0_in_layers_2", "model.diffusion_model.input_blocks.1.0.in_layers.2.weight", (8, 6, 3, 3)),
        ("te2_text_model_encoder_layers_0_mlp_fc1", "conditioner.embedders.1.model.transformer.resblocks.0.mlp.c_fc.weight", (12, 8)),
    ]),
    "sd3": ("sd3-comfyui", [
        ("unet_x_embedder_proj", "model.diffusion_model.x_embedder.proj.weight", (8, 4, 2, 2)),
        ("unet_joint_blocks_0_x_block_mlp_fc1", "model.diffusion_model.joint_blocks.0.x_block.mlp.fc1.weight", (12, 8)),
    ]),
    "flux": ("flux-flux", [("unet_single_blocks_0_linear2", "model.diffusion_model.single_blocks.0.linear2.weight", (12, 8))]),
}
BASED = [decomposed(kind, axis) for kind in (lora, loha, lokr, glora) for axis in (0, 1)]
BASED += [decomposed(lora_tucker, 0), ia3_outputs, ia3_inputs, glora, glora_tucker, glora_first]
BASED += [oft, oft_constrained, oft_rescaled, boft, boft_constrained, boft_rescaled]


def write_small(folder, architecture, prefix, kind, place):
    target, weights = SMALL[architecture]
    module, key, shape = weights[place]
    if (len(shape) == 2 and "tucker" in kind.__name__) or (len(shape) == 4 and kind is glora_first):
        return
    name = f"{architecture}{'_small' if len(shape) == 2 else '_small_convolution'}-{prefix}-{kind.__name__}"
    size = (16, 6) if kind.__name__.startswith("boft") and len(shape) == 2 else shape
    write_case(folder, name, target, f"{prefix}_{module}", key, "base", kind(size))


for architecture in SMALL:
    for kind in BASED:
        for place in range(len(SMALL[architecture][1])):
            write_small(folder, architecture, "lora", kind, place)
for kind in BASED:
    write_small(folder, "sd1", "lycoris", kind, 1)
for architecture in ("sdxl", "sd3", "flux"):
    write_small(folder, architecture, "lycoris", BASED[0], -1)
    write_small(folder, architecture, "lycoris", oft, -1)
for kind in (oft, oft_constrained):
    write_small(folder, "sdxl", "oft", kind, 1)
write_case(folder, "flux-oft-oft_parts", "flux-flux", "oft_unet_double_blocks_0_img_attn_qkv",
           "model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "base", oft_parts((24, 4)))

# ---- biases and norms ----

VECTORS = [
    ("sd1", "sd1-ldm", "unet_down_blocks_0_resnets_0_conv1", "model.diffusion_model.input_blocks.1.0.in_layers.2.bias", "diff_b"),
    ("sdxl", "sdxl-sgm", "unet_input_blocks_1_0_in_layers_2", "model.diffusion_model.input_blocks.1.0.in_layers.2.bias", "diff_b"),
    ("sd3", "sd3-comfyui", "unet_x_embedder_proj", "model.diffusion_model.x_embedder.proj.bias", "diff_b"),
    ("flux", "flux-flux", "unet_img_in", "model.diffusion_model.img_in.bias", "diff_b"),
    ("sd1", "sd1-ldm", "unet_down_blocks_0_resnets_0_norm1", "model.diffusion_model.input_blocks.1.0.in_layers.0.weight", "w_norm"),
    ("sd1", "sd1-ldm", "unet_down_blocks_0_resnets_0_norm1", "model.diffusion_model.input_blocks.1.0.in_layers.0.bias", "b_norm"),
    ("sdxl", "sdxl-sgm", "unet_input_blocks_1_0_in_layers_0", "model.diffusion_model.input_blocks.1.0.in_layers.0.weight", "w_norm"),
    ("sdxl", "sdxl-sgm", "unet_input_blocks_1_0_in_layers_0", "model.diffusion_model.input_blocks.1.0.in_layers.0.bias", "b_norm"),
    ("sd3", "sd3-comfyui", "te1_text_model_final_layer_norm", "text_encoders.clip_l.transformer.text_model.final_layer_norm.weight", "w_norm"),
    ("flux", "flux-flux", "te1_text_model_final_layer_norm", "text_encoders.clip_l.transformer.text_model.final_layer_norm.weight", "w_norm"),
    ("flux", "flux-flux", "te1_text_model_final_layer_norm", "text_encoders.clip_l.transformer.text_model.final_layer_norm.bias", "b_norm"),
]
for architecture, target, module, key, part in VECTORS:
    for prefix in ("lora", "lycoris"):
        write_case(folder, f"{architecture}-{prefix}-{part}", target, f"{prefix}_{module}", key, "alone", alone(part)((16,)))

# ---- namings: the same LoRA by every name that trainers have for it ----


def halves(shape, up, down, alpha=None, rank=2):
    """A matrix: its halves under these names, and what they add."""
    b, a = draw(shape[0], rank), draw(rank, shape[1])
    return {up: b, down: a} | ({} if alpha is None else {"alpha": alpha}), b @ a * (1 if alpha is None else alpha / rank)


def placed(parts, rows):
    """What networks for parts of a weight add to it: None where no network is for a part, which has so many rows."""
    width = next(delta for delta in parts if delta is not None).shape[1]
    return np.concatenate([np.zeros((n, width)) if delta is None else delta for delta, n in zip(parts, rows)])


PEFT, LORA, OLD, FIRST = ("lora_B.weight", "lora_A.weight"), ("lora_up.weight", "lora_down.weight"), \
    ("lora.up.weight", "lora.down.weight"), ("lora_linear_layer.up.weight", "lora_linear_layer.down.weight")
UNET = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
LDM = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight"
TEXT = "text_encoder.text_model.encoder.layers.0.mlp.fc1"
NAMINGS = [
    ("sd1-peft", "sd1-ldm", UNET, LDM, PEFT, None),
    ("sd1-peft_prefix", "sd1-ldm", "base_model.model." + UNET[5:], LDM, PEFT, 4.0),
    ("sd1-diffusers", "sd1-ldm", UNET, LDM, OLD, None),
    ("sd1-diffusers_text", "sd1-ldm", TEXT, "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight", FIRST, None),
    ("sd1-processors", "sd1-ldm", UNET[5:-5] + ".processor.to_q_lora", LDM, ("up.weight", "down.weight"), None),
    ("sd1-processors_unet", "sd1-ldm", UNET[:-5] + ".processor.to_q_lora", LDM, ("up.weight", "down.weight"), None),
    ("sdxl-peft", "sdxl-sgm", UNET, LDM, PEFT, None),
    ("sdxl-peft_text", "sdxl-sgm", "text_encoder_2.text_model.encoder.layers.0.mlp.fc1",
     "conditioner.embedders.1.model.transformer.resblocks.0.mlp.c_fc.weight", PEFT, None),
    ("sdxl-diffusers", "sdxl-sgm", UNET, LDM, OLD, None),
    ("sdxl-onetrainer", "sdxl-sgm", "lora_" + UNET.replace(".", "_"), LDM, LORA, 3.0),
    ("sdxl-processors", "sdxl-sgm", UNET[:-5] + ".processor.to_q_lora", LDM, ("up.weight", "down.weight"), None),
    ("sd3-peft", "sd3-comfyui", "transformer.transformer_blocks.1.ff.net.0.proj",
     "model.diffusion_model.joint_blocks.1.x_block.mlp.fc1.weight", PEFT, None),
    ("sd3-onetrainer", "sd3-comfyui", "lora_transformer_transformer_blocks_1_ff_net_0_proj",
     "model.diffusion_model.joint_blocks.1.x_block.mlp.fc1.weight", LORA, 3.0),
    ("flux-peft", "flux-flux", "transformer.transformer_blocks.1.attn.to_add_out",
     "model.diffusion_model.double_blocks.1.txt_attn.proj.weight", PEFT, None),
    ("flux-peft_prefix", "flux-flux", "base_model.model.transformer_blocks.1.attn.to_add_out",
     "model.diffusion_model.double_blocks.1.txt_attn.proj.weight", PEFT, 4.0),
    ("flux-onetrainer", "flux-flux", "lora_transformer_single_transformer_blocks_2_proj_out",
     "model.diffusion_model.single_blocks.2.linear2.weight", LORA, 3.0),
    ("flux-onetrainer_text", "flux-flux", "lora_te2_encoder_block_0_layer_0_SelfAttention_q",
     "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight", LORA, 3.0),
    ("flux-original", "flux-flux", "diffusion_model.double_blocks.1.img_attn.qkv",
     "model.diffusion_model.double_blocks.1.img_attn.qkv.weight", PEFT, None),
    ("flux-xlabs", "flux-flux", "double_blocks.1.processor.qkv_lora2",
     "model.diffusion_model.double_blocks.1.txt_attn.qkv.weight", ("up.weight", "down.weight"), None),
]
for name, target, module, key, parts, alpha in NAMINGS:
    write_case(folder, name, target, module, key, "alone", halves((12, 8), *parts, alpha))

# ---- networks for parts of a weight that is several in one ----


def write_parts(name, target, key, shares, modules, names=PEFT, unit=4, width=8):
    tensors, deltas = {}, []
    for module, share in zip(modules, shares):
        if module is None:
            deltas.append(None)
            continue
        case, delta = halves((unit * share, width), *names)
        tensors |= {f"{module}.{part}": value for part, value in case.items()}
        deltas.append(delta)
    write_case(folder, name, target, "", key, "alone", (tensors, placed(deltas, [unit * n for n in shares])))


BLOCK = "transformer.single_transformer_blocks.3."
DOUBLE = "transformer.transformer_blocks.3.attn."
SINGLE = [BLOCK + "attn.to_q", BLOCK + "attn.to_k", BLOCK + "attn.to_v", BLOCK + "proj_mlp"]
LINEAR1 = "model.diffusion_model.single_blocks.3.linear1.weight"
QKV = "model.diffusion_model.double_blocks.3.txt_attn.qkv.weight"
write_parts("flux-parts_all", "flux-flux", LINEAR1, [1, 1, 1, 4], SINGLE)
write_parts("flux-parts_key", "flux-flux", LINEAR1, [1, 1, 1, 4], [None, SINGLE[1], None, None])
write_parts("flux-parts_mlp", "flux-flux", LINEAR1, [1, 1, 1, 4], [None, None, None, SINGLE[3]])
write_parts("flux-parts_qkv", "flux-flux", QKV, [1, 1, 1], [DOUBLE + f"add_{p}_proj" for p in "qkv"])
write_parts("flux-parts_value", "flux-flux", QKV, [1, 1, 1], [None, None, DOUBLE + "add_v_proj"])
write_parts("flux-parts_xlabs", "flux-flux", LINEAR1, [3, 4], ["single_blocks.3.processor.qkv_lora", None],
            ("up.weight", "down.weight"))
write_parts("sd3-parts_query", "sd3-comfyui", "model.diffusion_model.joint_blocks.2.x_block.attn.qkv.weight", [1, 1, 1],
            ["transformer.transformer_blocks.2.attn.to_q", None, None])
write_parts("sdxl-parts_query", "sdxl-sgm", "conditioner.embedders.1.model.transformer.resblocks.2.attn.in_proj_weight", [1, 1, 1],
            ["text_encoder_2.text_model.encoder.layers.2.self_attn.q_proj", None, None])

# A network for the fused weight, in a model that has its parts.
case, delta = halves((28, 8), "lora_up.weight", "lora_down.weight", 3.0)
write_case(folder, "flux-split_query", "flux-diffusers", "lora_unet_single_blocks_3_linear1",
           "transformer.single_transformer_blocks.3.attn.to_q.weight", "part", (case, delta[0:4]))
write_case(folder, "flux-split_mlp", "flux-diffusers", "lora_unet_single_blocks_3_linear1",
           "transformer.single_transformer_blocks.3.proj_mlp.weight", "part", (case, delta[12:28]))

# ---- networks of PEFT for a language model, with the adapter_config.json beside them ----


def write_adapter(name, settings, key, case):
    write_case(folder, name, "-", "", key, "adapter", case)
    with open(f"{folder}/{name}.json", "w") as file:
        json.dump(settings, file)


QPROJ = "model.layers.0.self_attn.q_proj"
SETTINGS = {"peft_type": "LORA", "r": 2, "lora_alpha": 3, "use_rslora": False, "fan_in_fan_out": False, "alpha_pattern": {},
            "rank_pattern": {}, "target_modules": ["q_proj"], "bias": "none"}


def peft(shape=(12, 8), alpha=3.0, rank=2, module=QPROJ):
    case, delta = halves(shape, f"base_model.model.{module}.lora_B.weight", f"base_model.model.{module}.lora_A.weight", rank=rank)
    return case, delta * alpha / rank


write_adapter("peft-lora", SETTINGS, QPROJ + ".weight", peft())
write_adapter("peft-rslora", SETTINGS | {"use_rslora": True}, QPROJ + ".weight", peft(alpha=3.0 * 2**0.5))
write_adapter("peft-alpha_pattern", SETTINGS | {"alpha_pattern": {"k_proj": 9, "layers.0.self_attn.q_proj": 5}}, QPROJ + ".weight", peft(alpha=5.0))
write_adapter("peft-alpha_regex", SETTINGS | {"alpha_pattern": {".*\\.(q|v)_proj": 7}}, QPROJ + ".weight", peft(alpha=7.0))
case, delta = peft((8, 12), module="transformer.h.0.attn.c_attn")
write_adapter("peft-fan_in_fan_out", SETTINGS | {"fan_in_fan_out": True}, "transformer.h.0.attn.c_attn.weight", (case, delta.T))
b, a = draw(8, 2), draw(2, 20)
write_adapter("peft-embedding", SETTINGS, "model.embed_tokens.weight",
              ({"base_model.model.model.embed_tokens.lora_embedding_B": b, "base_model.model.model.embed_tokens.lora_embedding_A": a},
               (b @ a).T * 1.5))
case, delta = peft()
scale = np.abs(draw(12)) + 0.5
scale = scale.astype(np.float32).astype(np.float64)
moved = base((12, 8)) + delta
write_adapter("peft-dora", SETTINGS | {"use_dora": True}, QPROJ + ".weight",
              (case | {f"base_model.model.{QPROJ}.lora_magnitude_vector": scale},
               moved * (scale / np.sqrt((moved**2).sum(axis=1)))[:, None] - base((12, 8))))
saved = draw(20, 8)
write_adapter("peft-saved", SETTINGS | {"modules_to_save": ["lm_head"]}, "lm_head.weight",
              ({"base_model.model.lm_head.weight": saved}, saved - base((20, 8))))
case, delta = loha((12, 8))
del case["alpha"]
write_adapter("peft-loha", {"peft_type": "LOHA", "r": 2, "alpha": 1.5}, QPROJ + ".weight",
              ({f"base_model.model.{QPROJ}.{part}": value for part, value in case.items()}, delta))

# ---- what PEFT makes otherwise than LyCORIS, as its merges have it ----

def ia3_peft(shape, inputs, rank=2):
    n = shape[1] if inputs else shape[0]
    place = (1, n, *[1] * (len(shape) - 2)) if len(shape) > 2 else (1, n) if inputs else (n, 1)
    factor = draw(*place)
    spread = factor.reshape(1, n, *[1] * (len(shape) - 2)) if inputs else factor.reshape(n, *[1] * (len(shape) - 1))
    return factor, base(shape) * spread - base(shape)


def blockwise(blocks):
    """A block-diagonal matrix."""
    size = blocks.shape[-1]
    whole = np.zeros((len(blocks) * size,) * 2)
    for i, block in enumerate(blocks):
        whole[i * size : (i + 1) * size, i * size : (i + 1) * size] = block
    return whole


def cayley_peft(skew):
    one = np.eye(skew.shape[-1])
    return np.stack([(one - q) @ np.linalg.inv(one + q) for q in skew])


def projected(blocks, eps):
    eps = eps / np.sqrt(len(blocks))
    sizes = np.sqrt((blocks**2).sum(axis=(1, 2), keepdims=True))
    return np.where(sizes <= eps, blocks, eps * blocks / sizes)


def oft_first(shape, r, shared=False, eps=None):
    """Outputs: W' is (W^T R)^T, R cut where blocks are more than outputs."""
    size = -(-shape[0] // r)
    data = draw(1 if shared else r, size, size)
    blocks = data if eps is None else projected(data, eps * size * size)
    turn = cayley_peft((blocks - np.swapaxes(blocks, 1, 2)) / 2)
    whole = blockwise(np.concatenate([turn] * r) if shared else turn)[: shape[0], : shape[0]]
    w = matrix(base(shape))
    return data, (w.T @ whole).T.reshape(shape) - base(shape)


def oft_peft(shape, size, shared=False, eps=None, terms=None):
    """Inputs: W' is (R W^T)^T; R is told by triangles."""
    inputs = int(np.prod(shape[1:]))
    data = (draw(1 if shared else inputs // size, size * (size - 1) // 2) / 4).astype(np.float32).astype(np.float64)
    skew = np.zeros((len(data), size, size))
    skew[:, *np.triu_indices(size, 1)] = data
    skew = skew - np.swapaxes(skew, 1, 2)
    skew = skew if eps is None else projected(skew, eps)
    if terms is None:
        turn = cayley_peft(skew)
    else:
        turn = np.repeat(np.eye(size)[None], len(data), axis=0)
        if terms > 1:
            turn = turn + 2 * skew
        if terms > 2:
            turn, power = turn + 2 * skew @ skew, skew @ skew
            for _ in range(3, terms - 1):
                power = power @ skew
                turn = turn + 2 * power
            turn = turn + power @ skew
    whole = blockwise(np.concatenate([turn] * (inputs // size)) if shared else turn)
    return data, (whole @ matrix(base(shape)).T).T.reshape(shape) - base(shape)


def butterfly_order(n, blocks, half):
    """Which row each row comes from: within so many equal blocks, first the even pieces of HALF rows, then the odd ones."""
    size = n // blocks
    pieces = np.arange(size).reshape(-1, half)
    order = np.concatenate([pieces[0::2], pieces[1::2]]).reshape(-1)
    return np.concatenate([start + order for start in range(0, n, size)])


def boft_peft(shape, stages, count):
    n = int(np.prod(shape[1:]))
    size = n // count
    data, scale = draw(stages, count, size, size), draw(shape[0], 1) if len(shape) == 2 else draw(1, shape[0])
    whole = np.eye(n)
    for i in range(stages):
        order = np.arange(n) if stages == 1 else butterfly_order(n, count // 2**i, size // 2)
        shuffle = np.eye(n)[order]
        whole = shuffle @ blockwise(cayley_peft((data[i] - np.swapaxes(data[i], 1, 2)) / 2)) @ shuffle.T @ whole
    w = (whole @ matrix(base(shape)).T).T * scale.reshape(-1, 1)
    return data, scale, w.reshape(shape) - base(shape)


def write_peft(name, settings, part, case, key=QPROJ, kind="weight"):
    value, delta = case
    write_adapter(name, settings, f"{key}.{kind}", ({f"base_model.model.{key}.{part}": value}, delta))


IA3 = {"peft_type": "IA3", "target_modules": ["q_proj", "down_proj", "conv"], "feedforward_modules": ["down_proj", "conv_in"],
       "fan_in_fan_out": False, "init_ia3_weights": True}
write_peft("peft-ia3", IA3, "ia3_l", ia3_peft((12, 8), False))
write_peft("peft-ia3_feedforward", IA3, "ia3_l", ia3_peft((12, 8), True), "model.layers.0.mlp.down_proj")
write_peft("peft-ia3_square", IA3, "ia3_l", ia3_peft((8, 8), True), "model.layers.0.mlp.down_proj")
write_peft("peft-ia3_convolution", IA3, "ia3_l", ia3_peft((6, 6, 3, 3), True), "patches.conv_in")
write_peft("peft-ia3_convolution_outputs", IA3, "ia3_l", ia3_peft((6, 6, 3, 3), False), "patches.conv_out")
factor = draw(12, 1)
write_peft("peft-ia3_fan_in_fan_out", IA3 | {"fan_in_fan_out": True}, "ia3_l",
           (factor, base((8, 12)) * factor.reshape(1, -1) - base((8, 12))), "transformer.h.0.attn.c_attn")
write_peft("peft-ia3_bias", IA3, "ia3_l", (factor, base((12,)) * factor.reshape(-1) - base((12,))), QPROJ, "bias")
OFT = {"peft_type": "OFT", "r": 3, "coft": False, "eps": 0.01, "block_share": False}
write_peft("peft-oft_first", OFT, "oft_r", oft_first((12, 8), 3))
write_peft("peft-oft_first_cut", OFT | {"r": 5}, "oft_r", oft_first((12, 8), 5))
write_peft("peft-oft_first_shared", OFT | {"block_share": True}, "oft_r", oft_first((12, 8), 3, shared=True))
write_peft("peft-oft_first_coft", OFT | {"coft": True}, "oft_r", oft_first((12, 8), 3, eps=float(np.float32(0.01))))
write_peft("peft-oft_first_convolution", OFT, "oft_r", oft_first((6, 4, 3, 3), 3), "patches.conv_in")
NEW = {"peft_type": "OFT", "r": 0, "oft_block_size": 4, "coft": False, "eps": 0.01, "block_share": False, "use_cayley_neumann": True,
       "num_cayley_neumann_terms": 5}
for terms in (5, 7, 4, 3, 2):
    write_peft(f"peft-oft_{terms}_terms", NEW | {"num_cayley_neumann_terms": terms}, "oft_R.weight", oft_peft((6, 12), 4, terms=terms))
EXACT = NEW | {"use_cayley_neumann": False}
write_peft("peft-oft", EXACT, "oft_R.weight", oft_peft((6, 12), 4))
write_peft("peft-oft_shared", EXACT | {"block_share": True}, "oft_R.weight", oft_peft((6, 12), 4, shared=True))
write_peft("peft-oft_coft", EXACT | {"coft": True}, "oft_R.weight", oft_peft((6, 12), 4, eps=float(np.float32(0.01))))
write_peft("peft-oft_convolution", EXACT, "oft_R.weight", oft_peft((6, 4, 3, 3), 6), "patches.conv_in")
BOFT = {"peft_type": "BOFT", "boft_block_size": 4, "boft_block_num": 0, "boft_n_butterfly_factor": 1, "fan_in_fan_out": False}
for name, shape, stages, count, key in [
    ("peft-boft", (6, 16), 1, 4, QPROJ), ("peft-boft_2_stages", (6, 16), 2, 4, QPROJ), ("peft-boft_3_stages", (6, 32), 3, 8, QPROJ),
    ("peft-boft_odd", (6, 15), 1, 5, QPROJ), ("peft-boft_convolution", (6, 4, 2, 2), 2, 4, "patches.conv_in"),
]:
    data, scale, delta = boft_peft(shape, stages, count)
    write_adapter(name, BOFT | {"boft_n_butterfly_factor": stages}, key + ".weight",
                  ({f"base_model.model.{key}.boft_R": data, f"base_model.model.{key}.boft_s": scale}, delta))

# DoRA of PEFT: a magnitude for each output, whatever its shape.
for name, shape, place in [("peft-dora_square", (8, 8), (8,)), ("peft-dora_convolution", (6, 6, 3, 3), (1, 6, 1, 1))]:
    up, down = draw(shape[0], 2, *[1] * (len(shape) - 2)), draw(2, *shape[1:])
    scale = (np.abs(draw(*place)) + 0.5).astype(np.float32).astype(np.float64)
    moved = base(shape) + (matrix(up) @ matrix(down)).reshape(shape) * 1.5
    norms = np.sqrt((moved**2).sum(axis=tuple(range(1, len(shape))), keepdims=True))
    write_adapter(name, SETTINGS | {"use_dora": True}, "patches.conv_in.weight",
                  ({f"base_model.model.patches.conv_in.{part}": value for part, value in
                    [("lora_B.weight", up), ("lora_A.weight", down), ("lora_magnitude_vector.weight", scale)]},
                   moved * scale.reshape(norms.shape) / norms - base(shape)))
case, delta = peft(rank=4)
write_adapter("peft-rank_pattern", SETTINGS | {"rank_pattern": {"q_proj": 4}}, QPROJ + ".weight", (case, delta))
case, delta = peft(rank=4, alpha=5.0 * 2)
write_adapter("peft-rank_pattern_rslora", SETTINGS | {"rank_pattern": {"q_proj": 4}, "alpha_pattern": {"q_proj": 5}, "use_rslora": True},
              QPROJ + ".weight", (case, delta))

# The same types on the UNets and transformers of diffusers.
PLACES = [
    ("sd1", "sd1-diffusers", "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", "unet."),
    ("sdxl", "sdxl-diffusers", "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", "unet."),
    ("sd3", "sd3-diffusers", "transformer_blocks.1.ff.net.0.proj", "transformer."),
    ("flux", "flux-diffusers", "transformer_blocks.1.attn.to_add_out", "transformer."),
]
for architecture, target, module, place in PLACES:
    before = f"base_model.model.{module}."
    for name, settings, tensors in [
        ("ia3", IA3, dict([("ia3_l", None)])), ("oft", NEW, None), ("boft", BOFT, None), ("dora", SETTINGS, None)]:
        if name == "ia3":
            value, delta = ia3_peft((6, 12), False)
            parts = {"ia3_l": value}
        elif name == "oft":
            value, delta = oft_peft((6, 12), 4, terms=5)
            parts = {"oft_R.weight": value}
        elif name == "boft":
            data, scale, delta = boft_peft((6, 16), 2, 4)
            parts = {"boft_R": data, "boft_s": scale}
        else:
            up, down = draw(8, 2), draw(2, 8)
            scale = (np.abs(draw(8)) + 0.5).astype(np.float32).astype(np.float64)
            moved = base((8, 8)) + up @ down * 1.5
            parts = {"lora_B.weight": up, "lora_A.weight": down, "lora_magnitude_vector": scale}
            delta = moved * (scale / np.sqrt((moved**2).sum(axis=1)))[:, None] - base((8, 8))
            # Without an alpha of its own a module of these namings is scaled by what the settings say.
        write_case(folder, f"{architecture}-peft_{name}", target, "", f"{place}{module}.weight", "adapter",
                   ({before + part: value for part, value in parts.items()}, delta))
        with open(f"{folder}/{architecture}-peft_{name}.json", "w") as file:
            json.dump(settings, file)

# ---- every type on every architecture, where the rules are the same ----

SMALLEST = {"sdxl": ("sdxl-sgm", "vae_quant_conv", "first_stage_model.quant_conv.weight", (8, 8, 1, 1))}
for architecture, kind in [(a, k) for a in ("sdxl", "sd3", "sd3_matrix", "flux") for k in (lokr_whole, lokr_first, lokr_both)] + [("sd3", lokr_tucker)]:
    target, module, key, shape = SMALLEST.get(architecture, ARCHITECTURES[architecture])
    write_case(folder, f"{architecture}-lora-{kind.__name__}", target, f"lora_{module}", key, "alone", kind(shape))
for architecture, place in [("sd3", 0), ("sd3", 1), ("flux", 0)]:
    write_small(folder, architecture, "lora", difference, place)

for name, target, module, key in [
    ("sdxl-peft_prefix", "sdxl-sgm", "base_model.model." + UNET[5:], LDM),
    ("sd3-peft_prefix", "sd3-comfyui", "base_model.model.transformer_blocks.1.ff.net.0.proj",
     "model.diffusion_model.joint_blocks.1.x_block.mlp.fc1.weight"),
]:
    write_case(folder, name, target, module, key, "alone", halves((12, 8), *PEFT, 4.0))

# PEFT's types on a convolution of any model, and on the models of diffusers.


def lycoris_peft(kind, shape):
    """Without an alpha of its own: that of the settings is the same."""
    tensors, delta = kind(shape)
    alpha = tensors.pop("alpha")
    return tensors, delta, {"peft_type": kind.__name__.upper(), "r": 2, "alpha": alpha}


def peft_cases(shape):
    """Settings, tensors of a module, and the change of a weight of that shape, by name."""
    convolution = len(shape) > 2
    kernel = [1] * (len(shape) - 2)

    def lora_of(rank, factor):
        up, down = draw(shape[0], rank, *kernel), draw(rank, *shape[1:])
        return {"lora_B.weight": up, "lora_A.weight": down}, (matrix(up) @ matrix(down)).reshape(shape) * factor

    yield "lora", SETTINGS, *lora_of(2, 1.5)
    yield "rslora", SETTINGS | {"use_rslora": True}, *lora_of(2, 3 / 2**0.5)
    yield "alpha_pattern", SETTINGS | {"alpha_pattern": {"PLACE": 5}}, *lora_of(2, 2.5)
    yield "rank_pattern", SETTINGS | {"rank_pattern": {"PLACE": 4}}, *lora_of(4, 0.75)
    yield "both_patterns", SETTINGS | {"rank_pattern": {"PLACE": 4}, "alpha_pattern": {"PLACE": 5}, "use_rslora": True}, *lora_of(4, 2.5)
    for kind in (loha, lokr):
        tensors, delta, settings = lycoris_peft(kind, shape)
        yield kind.__name__, settings, tensors, delta
    value, delta = ia3_peft(shape, True)
    yield "ia3_inputs", IA3 | {"feedforward_modules": ["PLACE"]}, {"ia3_l": value}, delta
    size, coft = 4, float(np.float32(0.01))
    for name, settings, more in [("oft_exact", EXACT, {}), ("oft_shared", EXACT | {"block_share": True}, {"shared": True}),
                                 ("oft_coft", EXACT | {"coft": True}, {"eps": coft})] + [
                                 (f"oft_{n}_terms", NEW | {"num_cayley_neumann_terms": n}, {"terms": n}) for n in (2, 3, 4, 7)]:
        value, delta = oft_peft(shape, size, **more)
        yield name, settings, {"oft_R.weight": value}, delta
    for name, settings, r, more in [("oft_first", OFT, 3, {}), ("oft_first_cut", OFT | {"r": 5}, 5, {}),
                                    ("oft_first_shared", OFT | {"block_share": True}, 3, {"shared": True}),
                                    ("oft_first_coft", OFT | {"coft": True}, 3, {"eps": coft})]:
        value, delta = oft_first(shape, r, **more)
        yield name, settings, {"oft_r": value}, delta
    inputs = int(np.prod(shape[1:]))
    for stages, count in [(1, inputs // 4), (1, inputs // 3), (3, inputs // 2)]:
        if inputs % 8 == 0 or stages == 1:
            data, scale, delta = boft_peft(shape, stages, count)
            yield f"boft_{stages}_{count}", BOFT | {"boft_n_butterfly_factor": stages}, {"boft_R": data, "boft_s": scale}, delta


def write_peft_cases(prefix, target, module, key, shape):
    for name, settings, tensors, delta in peft_cases(shape):
        full = f"{prefix}_all-{name}"
        write_case(folder, full, target, "", key, "adapter",
                   ({f"base_model.model.{module}.{part}": value for part, value in tensors.items()}, delta))
        with open(f"{folder}/{full}.json", "w") as file:
            file.write(json.dumps(settings).replace("PLACE", module.rsplit(".", 1)[-1]))


write_peft_cases("peft_convolution", "-", "patches.conv_in", "patches.conv_in.weight", (6, 6, 2, 2))
for architecture, target, module, place in PLACES:
    write_peft_cases(f"{architecture}-peft", target, module, f"{place}{module}.weight", (6, 24))
case, delta = halves((12, 8), "lora_up.weight", "lora_down.weight", 3.0)
for i, part in enumerate("qkv"):
    write_case(folder, f"sd3-split_{part}", "sd3-diffusers", "lora_unet_joint_blocks_2_x_block_attn_qkv",
               f"transformer.transformer_blocks.2.attn.to_{part}.weight", "parts", (case, delta[4 * i : 4 * i + 4]))

# Cells of the tables in docs/networks.md that nothing above is in.

write_peft("peft-oft_convolution_5_terms", NEW, "oft_R.weight", oft_peft((6, 4, 3, 3), 6, terms=5), "patches.conv_in")
write_parts("flux-parts_query", "flux-flux", LINEAR1, [1, 1, 1, 4], [SINGLE[0], None, None, None])

# An architecture that is known, and for which there are no networks of its own.
up, down = draw(4, 2, 1, 1), draw(2, 4, 1, 1)
write_adapter("peft-lora_autoencoder", SETTINGS, "post_quant_conv.weight",
              ({"base_model.model.post_quant_conv.lora_B.weight": up, "base_model.model.post_quant_conv.lora_A.weight": down},
               (matrix(up) @ matrix(down)).reshape(4, 4, 1, 1) * 1.5))
