/* Writes models that look like real ones: the keys and shapes of known architectures, weights that
 * are nearly normal and depend on the seed alone.
 *
 *     make-models --kind sd15 --seed 1 base.safetensors
 *     make-models --kind sd15 --seed 2 --base 1 --strength 0.1 tune.safetensors
 *
 *     make-models --kind sd15 --seed 3 --lora 16 lora.safetensors
 *
 *     make-models --kind lm --dtype bf16 --shards 4 folder
 *
 * The second is a fine-tune of the first: its weights plus a tenth of its own. Architectures are
 * built the way the networks are, so a smaller one of the same structure is a row of numbers. */
#include "base/arena.h"
#include "base/glob.h"
#include "base/text.h"
#include "base/vector.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum Filling {
    FILL_WEIGHT,
    FILL_BIAS,
    FILL_SCALE,
    FILL_SCHEDULE,
    FILL_POSITIONS,
    FILL_ONE
} Filling;

typedef struct Entry {
    Text name;
    uint32_t rank;
    uint64_t dims[4];
    Filling filling;
    uint64_t count, offset; /* elements; bytes from the start of the data */
} Entry;

typedef struct Entries {
    Arena arena;
    VECTOR(Entry) list;
} Entries;

/* What the builders below pass along: a list and the name so far. */
typedef struct Place {
    Entries *entries;
    Text name;
} Place;

static Place at(Place parent, const char *format, ...) __attribute__((format(printf, 2, 3)));
static Place at(Place parent, const char *format, ...) {
    Builder name = {0};
    builder_add(&name, parent.name);
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(&name, format, arguments);
    va_end(arguments);
    Place place = {parent.entries, text_copy(&parent.entries->arena, builder_view(&name))};
    builder_free(&name);
    return place;
}

/* Zeros at the end of the dimensions are none. */
static void add(Place place, Filling filling, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    Entry entry = {.name = place.name, .filling = filling, .dims = {a, b, c, d}, .count = 1};
    while (entry.rank < 4 && entry.dims[entry.rank] != 0)
        entry.count *= entry.dims[entry.rank++];
    vector_push(&place.entries->list, entry);
}

static void norm(Place place, uint64_t width) {
    add(at(place, ".bias"), FILL_BIAS, width, 0, 0, 0);
    add(at(place, ".weight"), FILL_SCALE, width, 0, 0, 0);
}

static void linear(Place place, uint64_t in, uint64_t out) {
    add(at(place, ".bias"), FILL_BIAS, out, 0, 0, 0);
    add(at(place, ".weight"), FILL_WEIGHT, out, in, 0, 0);
}

static void convolution(Place place, uint64_t in, uint64_t out, uint64_t size) {
    add(at(place, ".bias"), FILL_BIAS, out, 0, 0, 0);
    add(at(place, ".weight"), FILL_WEIGHT, out, in, size, size);
}

/* --- The denoising network. */

enum { LEVEL_LIMIT = 4, SKIP_LIMIT = 16 };

typedef struct Unet {
    uint64_t channels, context; /* context: width of the text's vectors */
    uint64_t labels;            /* width of the size and pooled text vector; 0: has none */
    uint32_t levels;
    uint64_t factors[LEVEL_LIMIT]; /* of CHANNELS, by level */
    uint32_t depths[LEVEL_LIMIT];  /* of the transformers, by level; 0: has none */
    uint32_t middle_depth;
    bool linear_projections;
} Unet;

static void residual(Place place, const Unet *unet, uint64_t in, uint64_t out) {
    norm(at(place, ".in_layers.0"), in);
    convolution(at(place, ".in_layers.2"), in, out, 3);
    linear(at(place, ".emb_layers.1"), 4 * unet->channels, out);
    norm(at(place, ".out_layers.0"), out);
    convolution(at(place, ".out_layers.3"), out, out, 3);
    if (in != out)
        convolution(at(place, ".skip_connection"), in, out, 1);
}

static void attention(Place place, uint64_t width, uint64_t context) {
    add(at(place, ".to_q.weight"), FILL_WEIGHT, width, width, 0, 0);
    add(at(place, ".to_k.weight"), FILL_WEIGHT, width, context, 0, 0);
    add(at(place, ".to_v.weight"), FILL_WEIGHT, width, context, 0, 0);
    linear(at(place, ".to_out.0"), width, width);
}

static void transformer(Place place, const Unet *unet, uint64_t width, uint32_t depth) {
    norm(at(place, ".norm"), width);
    for (int i = 0; i < 2; i++) {
        Place projection = at(place, i == 0 ? ".proj_in" : ".proj_out");
        if (unet->linear_projections)
            linear(projection, width, width);
        else
            convolution(projection, width, width, 1);
    }
    for (uint32_t i = 0; i < depth; i++) {
        Place block = at(place, ".transformer_blocks.%u", i);
        attention(at(block, ".attn1"), width, width);
        linear(at(block, ".ff.net.0.proj"), width, 8 * width);
        linear(at(block, ".ff.net.2"), 4 * width, width);
        attention(at(block, ".attn2"), width, unet->context);
        for (int n = 1; n <= 3; n++)
            norm(at(block, ".norm%d", n), width);
    }
}

/* Two residual blocks a level, remembering what the way up will be given besides. */
static uint64_t unet_down(Place place, const Unet *unet, uint64_t skips[], uint32_t *n_skips) {
    uint64_t width = unet->channels;
    uint32_t block = 1;
    convolution(at(place, ".input_blocks.0.0"), 4, width, 3);
    skips[(*n_skips)++] = width;
    for (uint32_t level = 0; level < unet->levels; level++) {
        for (int i = 0; i < 2; i++, block++) {
            uint64_t out = unet->channels * unet->factors[level];
            residual(at(place, ".input_blocks.%u.0", block), unet, width, out);
            width = skips[(*n_skips)++] = out;
            if (unet->depths[level])
                transformer(at(place, ".input_blocks.%u.1", block), unet, width,
                            unet->depths[level]);
        }
        if (level + 1 < unet->levels) {
            convolution(at(place, ".input_blocks.%u.0.op", block++), width, width, 3);
            skips[(*n_skips)++] = width;
        }
    }
    return width;
}

static void unet_up(Place place, const Unet *unet, const uint64_t skips[], uint32_t n_skips,
                    uint64_t width) {
    uint32_t block = 0;
    for (uint32_t level = unet->levels; level-- > 0;) {
        for (int i = 0; i < 3; i++, block++) {
            uint64_t out = unet->channels * unet->factors[level];
            residual(at(place, ".output_blocks.%u.0", block), unet, width + skips[--n_skips], out);
            width = out;
            if (unet->depths[level])
                transformer(at(place, ".output_blocks.%u.1", block), unet, width,
                            unet->depths[level]);
            if (level > 0 && i == 2)
                convolution(
                    at(place, ".output_blocks.%u.%d.conv", block, unet->depths[level] ? 2 : 1),
                    width, width, 3);
        }
    }
}

static void denoiser(Entries *entries, const Unet *unet) {
    Place place = {entries, TEXT("model.diffusion_model")};
    uint64_t skips[SKIP_LIMIT], embedding = 4 * unet->channels;
    uint32_t n_skips = 0;
    linear(at(place, ".time_embed.0"), unet->channels, embedding);
    linear(at(place, ".time_embed.2"), embedding, embedding);
    if (unet->labels) {
        linear(at(place, ".label_emb.0.0"), unet->labels, embedding);
        linear(at(place, ".label_emb.0.2"), embedding, embedding);
    }
    uint64_t width = unet_down(place, unet, skips, &n_skips);
    residual(at(place, ".middle_block.0"), unet, width, width);
    transformer(at(place, ".middle_block.1"), unet, width, unet->middle_depth);
    residual(at(place, ".middle_block.2"), unet, width, width);
    unet_up(place, unet, skips, n_skips, width);
    norm(at(place, ".out.0"), unet->channels);
    convolution(at(place, ".out.2"), unet->channels, 4, 3);
}

/* --- The text encoders. */

typedef struct TextEncoder {
    const char *name;
    uint64_t width, words, layers;
} TextEncoder;

static void text_encoder(Entries *entries, const TextEncoder *encoder) {
    Place place = {entries, text_from(encoder->name)};
    uint64_t width = encoder->width;
    add(at(place, ".embeddings.position_embedding.weight"), FILL_WEIGHT, 77, width, 0, 0);
    add(at(place, ".embeddings.position_ids"), FILL_POSITIONS, 1, 77, 0, 0);
    add(at(place, ".embeddings.token_embedding.weight"), FILL_WEIGHT, encoder->words, width, 0, 0);
    for (unsigned i = 0; i < encoder->layers; i++) {
        Place layer = at(place, ".encoder.layers.%u", i);
        norm(at(layer, ".layer_norm1"), width);
        norm(at(layer, ".layer_norm2"), width);
        linear(at(layer, ".mlp.fc1"), width, 4 * width);
        linear(at(layer, ".mlp.fc2"), 4 * width, width);
        linear(at(layer, ".self_attn.k_proj"), width, width);
        linear(at(layer, ".self_attn.out_proj"), width, width);
        linear(at(layer, ".self_attn.q_proj"), width, width);
        linear(at(layer, ".self_attn.v_proj"), width, width);
    }
    norm(at(place, ".final_layer_norm"), width);
}

/* As OpenCLIP has it: query, key and value are one matrix. */
static void open_text_encoder(Entries *entries, const TextEncoder *encoder) {
    Place place = {entries, text_from(encoder->name)};
    uint64_t width = encoder->width;
    add(at(place, ".positional_embedding"), FILL_WEIGHT, 77, width, 0, 0);
    add(at(place, ".token_embedding.weight"), FILL_WEIGHT, encoder->words, width, 0, 0);
    for (unsigned i = 0; i < encoder->layers; i++) {
        Place layer = at(place, ".transformer.resblocks.%u", i);
        norm(at(layer, ".ln_1"), width);
        norm(at(layer, ".ln_2"), width);
        add(at(layer, ".attn.in_proj_weight"), FILL_WEIGHT, 3 * width, width, 0, 0);
        add(at(layer, ".attn.in_proj_bias"), FILL_BIAS, 3 * width, 0, 0, 0);
        linear(at(layer, ".attn.out_proj"), width, width);
        linear(at(layer, ".mlp.c_fc"), width, 4 * width);
        linear(at(layer, ".mlp.c_proj"), 4 * width, width);
    }
    norm(at(place, ".ln_final"), width);
    add(at(place, ".text_projection"), FILL_WEIGHT, width, width, 0, 0);
    add(at(place, ".logit_scale"), FILL_ONE, 0, 0, 0, 0);
}

/* --- The autoencoder of images. */

static void image_residual(Place place, uint64_t in, uint64_t out) {
    norm(at(place, ".norm1"), in);
    convolution(at(place, ".conv1"), in, out, 3);
    norm(at(place, ".norm2"), out);
    convolution(at(place, ".conv2"), out, out, 3);
    if (in != out)
        convolution(at(place, ".nin_shortcut"), in, out, 1);
}

static void image_middle(Place place, uint64_t width) {
    static const char *const projections[] = {"q", "k", "v", "proj_out"};
    image_residual(at(place, ".block_1"), width, width);
    norm(at(place, ".attn_1.norm"), width);
    for (int i = 0; i < 4; i++)
        convolution(at(place, ".attn_1.%s", projections[i]), width, width, 1);
    image_residual(at(place, ".block_2"), width, width);
}

static const uint64_t image_factors[] = {1, 2, 4, 4};

static void image_encoder(Place place, uint64_t channels) {
    uint64_t width = channels;
    convolution(at(place, ".conv_in"), 3, width, 3);
    for (unsigned level = 0; level < 4; level++) {
        for (unsigned i = 0; i < 2; i++) {
            uint64_t out = channels * image_factors[level];
            image_residual(at(place, ".down.%u.block.%u", level, i), width, out);
            width = out;
        }
        if (level < 3)
            convolution(at(place, ".down.%u.downsample.conv", level), width, width, 3);
    }
    image_middle(at(place, ".mid"), width);
    norm(at(place, ".norm_out"), width);
    convolution(at(place, ".conv_out"), width, 8, 3);
}

static void image_decoder(Place place, uint64_t channels) {
    uint64_t width = 4 * channels;
    convolution(at(place, ".conv_in"), 4, width, 3);
    image_middle(at(place, ".mid"), width);
    for (unsigned level = 4; level-- > 0;) {
        for (unsigned i = 0; i < 3; i++) {
            uint64_t out = channels * image_factors[level];
            image_residual(at(place, ".up.%u.block.%u", level, i), width, out);
            width = out;
        }
        if (level > 0)
            convolution(at(place, ".up.%u.upsample.conv", level), width, width, 3);
    }
    norm(at(place, ".norm_out"), width);
    convolution(at(place, ".conv_out"), width, 3, 3);
}

static void autoencoder(Entries *entries, uint64_t channels) {
    Place place = {entries, TEXT("first_stage_model")};
    image_encoder(at(place, ".encoder"), channels);
    image_decoder(at(place, ".decoder"), channels);
    convolution(at(place, ".quant_conv"), 8, 8, 1);
    convolution(at(place, ".post_quant_conv"), 4, 4, 1);
}

/* --- Language models, as Llama has them. */

typedef struct Decoder {
    uint64_t width, key_width, inner_width, words, layers, head_width;
} Decoder;

static void decoder_layer(Place place, const Decoder *decoder) {
    uint64_t width = decoder->width, inner = decoder->inner_width;
    add(at(place, ".input_layernorm.weight"), FILL_SCALE, width, 0, 0, 0);
    add(at(place, ".mlp.down_proj.weight"), FILL_WEIGHT, width, inner, 0, 0);
    add(at(place, ".mlp.gate_proj.weight"), FILL_WEIGHT, inner, width, 0, 0);
    add(at(place, ".mlp.up_proj.weight"), FILL_WEIGHT, inner, width, 0, 0);
    add(at(place, ".post_attention_layernorm.weight"), FILL_SCALE, width, 0, 0, 0);
    add(at(place, ".self_attn.k_proj.weight"), FILL_WEIGHT, decoder->key_width, width, 0, 0);
    add(at(place, ".self_attn.o_proj.weight"), FILL_WEIGHT, width, width, 0, 0);
    add(at(place, ".self_attn.q_proj.weight"), FILL_WEIGHT, width, width, 0, 0);
    add(at(place, ".self_attn.v_proj.weight"), FILL_WEIGHT, decoder->key_width, width, 0, 0);
}

static void language_model(Entries *entries, const Decoder *decoder) {
    Place place = {entries, TEXT("model")};
    add((Place){entries, TEXT("lm_head.weight")}, FILL_WEIGHT, decoder->words, decoder->width, 0,
        0);
    add(at(place, ".embed_tokens.weight"), FILL_WEIGHT, decoder->words, decoder->width, 0, 0);
    for (unsigned i = 0; i < decoder->layers; i++)
        decoder_layer(at(place, ".layers.%u", i), decoder);
    add(at(place, ".norm.weight"), FILL_SCALE, decoder->width, 0, 0, 0);
}

static void noise_schedule(Entries *entries) {
    static const char *const names[] = {
        "betas",
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "sqrt_alphas_cumprod",
        "sqrt_one_minus_alphas_cumprod",
        "log_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod",
        "sqrt_recipm1_alphas_cumprod",
        "posterior_variance",
        "posterior_log_variance_clipped",
        "posterior_mean_coef1",
        "posterior_mean_coef2",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add((Place){entries, text_from(names[i])}, FILL_SCHEDULE, 1000, 0, 0, 0);
}

/* --- Flux: two blocks of it, the first of either kind. */

static void flow_matrix(Place place, uint64_t out, uint64_t in) {
    add(at(place, ".weight"), FILL_WEIGHT, out, in, 0, 0);
}

static void flow_blocks(Entries *entries, uint64_t width) {
    static const char *const streams[] = {"img", "txt"};
    Place twice = {entries, TEXT("model.diffusion_model.double_blocks.0")};
    Place once = {entries, TEXT("model.diffusion_model.single_blocks.0")};
    for (int i = 0; i < 2; i++) {
        flow_matrix(at(twice, ".%s_attn.qkv", streams[i]), 3 * width, width);
        flow_matrix(at(twice, ".%s_attn.proj", streams[i]), width, width);
        flow_matrix(at(twice, ".%s_mlp.0", streams[i]), 4 * width, width);
        flow_matrix(at(twice, ".%s_mlp.2", streams[i]), width, 4 * width);
        flow_matrix(at(twice, ".%s_mod.lin", streams[i]), 6 * width, width);
    }
    flow_matrix(at(once, ".linear1"), 7 * width, width);
    flow_matrix(at(once, ".linear2"), width, 5 * width);
    flow_matrix(at(once, ".modulation.lin"), 3 * width, width);
}

typedef struct Architecture {
    const char *name, *about;
    Unet unet;
    TextEncoder text, second; /* of width 0: has none */
    uint64_t image_channels;
    bool schedule;
    Decoder decoder;
    uint64_t flow_width; /* of blocks of Flux; 0: has none */
} Architecture;

static const Architecture architectures[] = {
    {"tiny",
     "the structure of sd15 with few channels, 2 MB in f16",
     {8, 16, 0, 4, {1, 2, 4, 4}, {1, 1, 1, 0}, 1, false},
     {"cond_stage_model.transformer.text_model", 16, 512, 12},
     {0},
     8,
     true,
     {0}},
    {"sd15",
     "Stable Diffusion 1.5, 2.1 GB in f16",
     {320, 768, 0, 4, {1, 2, 4, 4}, {1, 1, 1, 0}, 1, false},
     {"cond_stage_model.transformer.text_model", 768, 49408, 12},
     {0},
     128,
     true,
     {0}},
    {"sdxl",
     "Stable Diffusion XL, 6.9 GB in f16",
     {320, 2048, 2816, 3, {1, 2, 4}, {0, 2, 10}, 10, true},
     {"conditioner.embedders.0.transformer.text_model", 768, 49408, 12},
     {"conditioner.embedders.1.model", 1280, 49408, 32},
     128,
     false,
     {0}},
    {"sdxl-unet",
     "the denoiser of Stable Diffusion XL, 5.1 GB in f16",
     {320, 2048, 2816, 3, {1, 2, 4}, {0, 2, 10}, 10, true},
     {0},
     {0},
     0,
     false,
     {0}},
    {"lm",
     "a language model of 1.1 billion parameters, 2.2 GB in bf16",
     {0},
     {0},
     {0},
     0,
     false,
     {2048, 256, 5632, 32000, 22, 64}},
    {"lm-tiny",
     "the structure of lm, 0.4 MB in bf16",
     {0},
     {0},
     {0},
     0,
     false,
     {64, 32, 176, 512, 3, 16}},
    {"flux-blocks", "two blocks of Flux, 1.0 GB in bf16", {0}, {0}, {0}, 0, false, {0}, 3072},
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

static void build(Entries *entries, const Architecture *architecture) {
    if (architecture->unet.channels)
        denoiser(entries, &architecture->unet);
    if (architecture->text.width)
        text_encoder(entries, &architecture->text);
    if (architecture->second.width)
        open_text_encoder(entries, &architecture->second);
    if (architecture->image_channels)
        autoencoder(entries, architecture->image_channels);
    if (architecture->schedule)
        noise_schedule(entries);
    if (architecture->decoder.width)
        language_model(entries, &architecture->decoder);
    if (architecture->flow_width)
        flow_blocks(entries, architecture->flow_width);
}

static Text without_dots(Arena *arena, Text name) {
    Builder out = {0};
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] != '.')
            builder_char(&out, name.data[i]);
    Text result = text_copy(arena, builder_view(&out));
    builder_free(&out);
    return result;
}

/* The moving average of the denoiser's weights, which some checkpoints carry beside them. */
static void build_average(Entries *entries) {
    const Text root = TEXT("model.");
    for (size_t i = 0, n = entries->list.count; i < n; i++) {
        Entry entry = entries->list.items[i];
        if (!text_starts(entry.name, TEXT("model.diffusion_model.")))
            continue;
        Text rest = {entry.name.data + root.size, entry.name.size - root.size};
        Text plain = without_dots(&entries->arena, rest);
        entry.name =
            at((Place){entries, TEXT("model_ema")}, ".%.*s", (int)plain.size, plain.data).name;
        vector_push(&entries->list, entry);
    }
}

/* --- LoRAs: what training scripts make for the transformers of such a model, whose blocks they
 * call by the names of diffusers. */

static void low_rank(Place place, uint64_t rank, uint64_t in, uint64_t out) {
    add(at(place, ".alpha"), FILL_ONE, 0, 0, 0, 0);
    add(at(place, ".lora_down.weight"), FILL_WEIGHT, rank, in, 0, 0);
    add(at(place, ".lora_up.weight"), FILL_WEIGHT, out, rank, 0, 0);
}

static void low_rank_projection(Place place, const Unet *unet, uint64_t rank, uint64_t width) {
    uint64_t size = unet->linear_projections ? 0 : 1;
    add(at(place, ".alpha"), FILL_ONE, 0, 0, 0, 0);
    add(at(place, ".lora_down.weight"), FILL_WEIGHT, rank, width, size, size);
    add(at(place, ".lora_up.weight"), FILL_WEIGHT, width, rank, size, size);
}

static void low_rank_attention(Place place, uint64_t rank, uint64_t width, uint64_t context) {
    low_rank(at(place, "_to_q"), rank, width, width);
    low_rank(at(place, "_to_k"), rank, context, width);
    low_rank(at(place, "_to_v"), rank, context, width);
    low_rank(at(place, "_to_out_0"), rank, width, width);
}

static void low_rank_transformer(Place place, const Unet *unet, uint64_t rank, uint64_t width,
                                 uint32_t depth) {
    for (int i = 0; i < 2 && depth > 0; i++)
        low_rank_projection(at(place, i == 0 ? "_proj_in" : "_proj_out"), unet, rank, width);
    for (uint32_t i = 0; i < depth; i++) {
        Place block = at(place, "_transformer_blocks_%u", i);
        low_rank_attention(at(block, "_attn1"), rank, width, width);
        low_rank_attention(at(block, "_attn2"), rank, width, unet->context);
        low_rank(at(block, "_ff_net_0_proj"), rank, width, 8 * width);
        low_rank(at(block, "_ff_net_2"), rank, 4 * width, width);
    }
}

static void low_rank_denoiser(Entries *entries, const Unet *unet, uint64_t rank) {
    Place place = {entries, TEXT("lora_unet")};
    uint64_t width = 0;
    for (uint32_t level = 0; level < unet->levels; level++) {
        width = unet->channels * unet->factors[level];
        uint32_t depth = unet->depths[level], up = unet->levels - 1 - level;
        for (unsigned i = 0; i < 2; i++)
            low_rank_transformer(at(place, "_down_blocks_%u_attentions_%u", level, i), unet, rank,
                                 width, depth);
        for (unsigned i = 0; i < 3; i++)
            low_rank_transformer(at(place, "_up_blocks_%u_attentions_%u", up, i), unet, rank, width,
                                 depth);
    }
    low_rank_transformer(at(place, "_mid_block_attentions_0"), unet, rank, width,
                         unet->middle_depth);
}

static void low_rank_text(Place place, const TextEncoder *encoder, uint64_t rank) {
    static const char *const projections[] = {"k_proj", "out_proj", "q_proj", "v_proj"};
    uint64_t width = encoder->width;
    for (unsigned i = 0; i < encoder->layers; i++) {
        Place layer = at(place, "_text_model_encoder_layers_%u", i);
        for (int k = 0; k < 4; k++)
            low_rank(at(layer, "_self_attn_%s", projections[k]), rank, width, width);
        low_rank(at(layer, "_mlp_fc1"), rank, width, 4 * width);
        low_rank(at(layer, "_mlp_fc2"), rank, 4 * width, width);
    }
}

/* Of Flux as diffusers, PEFT and AI-Toolkit name its parts: query, key, value and MLP each by
 * itself. */
static void flow_halves(Place place, uint64_t rank, uint64_t in, uint64_t out) {
    add(at(place, ".lora_A.weight"), FILL_WEIGHT, rank, in, 0, 0);
    add(at(place, ".lora_B.weight"), FILL_WEIGHT, out, rank, 0, 0);
}

static void low_rank_flow(Entries *entries, uint64_t width, uint64_t rank) {
    static const char *const squares[] = {"to_q",       "to_k",       "to_v",     "add_q_proj",
                                          "add_k_proj", "add_v_proj", "to_out.0", "to_add_out"};
    Place twice = {entries, TEXT("transformer.transformer_blocks.0")};
    Place once = {entries, TEXT("transformer.single_transformer_blocks.0")};
    for (int i = 0; i < 8; i++)
        flow_halves(at(twice, ".attn.%s", squares[i]), rank, width, width);
    for (int i = 0; i < 2; i++) {
        const char *stream = i == 0 ? "" : "_context";
        flow_halves(at(twice, ".ff%s.net.0.proj", stream), rank, width, 4 * width);
        flow_halves(at(twice, ".ff%s.net.2", stream), rank, 4 * width, width);
        flow_halves(at(twice, ".norm1%s.linear", stream), rank, width, 6 * width);
    }
    for (int i = 0; i < 3; i++)
        flow_halves(at(once, ".attn.%s", squares[i]), rank, width, width);
    flow_halves(at(once, ".proj_mlp"), rank, width, 4 * width);
    flow_halves(at(once, ".proj_out"), rank, 5 * width, width);
    flow_halves(at(once, ".norm.linear"), rank, width, 3 * width);
}

static void build_lora(Entries *entries, const Architecture *architecture, uint64_t rank) {
    if (architecture->flow_width > 0) {
        low_rank_flow(entries, architecture->flow_width, rank);
        return;
    }
    low_rank_denoiser(entries, &architecture->unet, rank);
    bool two = architecture->second.width > 0;
    low_rank_text((Place){entries, text_from(two ? "lora_te1" : "lora_te")}, &architecture->text,
                  rank);
    low_rank_text((Place){entries, TEXT("lora_te2")}, &architecture->second, rank);
}

/* --- The numbers. */

typedef enum Format { FORMAT_F16, FORMAT_BF16, FORMAT_F32, FORMATS } Format;
static const char *const format_names[FORMATS] = {"f16", "bf16", "f32"};
static const char *const format_file_names[FORMATS] = {"F16", "BF16", "F32"};
static const unsigned format_sizes[FORMATS] = {2, 2, 4};

typedef struct Settings {
    const Architecture *architecture;
    uint64_t lora; /* the rank of one, or 0: the model itself */
    Format format;
    uint64_t seed, base;
    double strength; /* 0: no fine-tune */
    unsigned threads;
    unsigned shards; /* files in a folder; 0: one file */
    bool list, average;
    bool hollow;      /* a hole in the place of the data */
    const char *only; /* keys that match, or NULL: all */
    const char *output;
} Settings;

/* Sebastiano Vigna's SplitMix64: every bit of the result depends on every bit of X. */
static inline uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Four uniform numbers added, with mean 0 and standard deviation 1: the bell is near enough, and
 * without the cost of a logarithm. */
static inline float bell(uint64_t random) {
    int32_t sum = (int32_t)(random & 0xffff) + (int32_t)(random >> 16 & 0xffff) +
                  (int32_t)(random >> 32 & 0xffff) + (int32_t)(random >> 48) - 2 * 0xffff;
    return (float)sum * (1.7320508f / 65536);
}

static inline uint32_t float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* To nearest even, for finite numbers below 65504 in magnitude. */
static inline uint16_t to_f16(float value) {
    uint32_t bits = float_bits(value), magnitude = bits & 0x7fffffff;
    uint32_t normal = ((magnitude + 0xfff + (magnitude >> 13 & 1)) >> 13) - (112 << 10);
    float absolute;
    memcpy(&absolute, &magnitude, sizeof absolute);
    /* Adding 0.5 leaves the last bits where those of a subnormal are, rounded. */
    uint32_t subnormal = float_bits(absolute + 0.5f) - 0x3f000000;
    return (uint16_t)((bits >> 16 & 0x8000) | (magnitude < 0x38800000 ? subnormal : normal));
}

static inline uint16_t to_bf16(float value) {
    uint32_t bits = float_bits(value);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

enum { BLOCK = 1 << 16 }; /* elements written at once: in cache */

typedef struct Block {
    const Entry *entry;
    uint64_t begin;
    size_t count;
} Block;

typedef struct Job {
    const Settings *settings;
    const Entries *entries;
    int descriptor;
    uint64_t data; /* where the data begin in the file */
    VECTOR(Block) blocks;
    atomic_size_t next;
    atomic_int error; /* errno of a write that failed */
} Job;

/* The same in every process, unlike text_hash. */
static uint64_t stable_hash(Text text) {
    uint64_t hash = 0;
    for (size_t i = 0; i < text.size; i++)
        hash = mix(hash ^ (unsigned char)text.data[i]);
    return hash;
}

/* Weights shrink with what is summed over them, as initialisations have it. */
static void spread_of(const Entry *entry, float *centre, float *spread) {
    uint64_t inputs = entry->count / entry->dims[0];
    *centre = entry->filling == FILL_SCALE ? 1 : 0;
    *spread = entry->filling == FILL_SCALE || entry->filling == FILL_BIAS ? 0.05f : 0.5f;
    for (uint64_t n = 1; entry->filling == FILL_WEIGHT && n < inputs; n *= 4)
        *spread /= 2;
}

static void fill_random(const Settings *settings, const Block *block, float *out) {
    uint64_t place = stable_hash(block->entry->name);
    bool tuned = settings->strength != 0;
    uint64_t root = mix(place ^ mix(tuned ? settings->base : settings->seed)) + block->begin;
    uint64_t own = mix(place ^ mix(settings->seed)) + block->begin;
    float centre, spread;
    spread_of(block->entry, &centre, &spread);
    for (size_t i = 0; i < block->count; i++)
        out[i] = centre + spread * bell(mix(root + i));
    float step = spread * (float)settings->strength;
    for (size_t i = 0; tuned && i < block->count; i++)
        out[i] += step * bell(mix(own + i));
}

static void fill_schedule(const Block *block, float *out) {
    for (size_t i = 0; i < block->count; i++)
        out[i] = 0.00085f + 0.01115f * (float)(block->begin + i) / 1000;
}

static size_t convert(Format format, const float *in, size_t count, void *out) {
    switch (format) {
    case FORMAT_F16:
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)out)[i] = to_f16(in[i]);
        break;
    case FORMAT_BF16:
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)out)[i] = to_bf16(in[i]);
        break;
    default:
        memcpy(out, in, count * sizeof *in);
    }
    return count * format_sizes[format];
}

static size_t fill(const Settings *settings, const Block *block, float *numbers, void *out) {
    if (block->entry->filling == FILL_POSITIONS) {
        for (size_t i = 0; i < block->count; i++)
            ((int64_t *)out)[i] = (int64_t)(block->begin + i);
        return block->count * sizeof(int64_t);
    }
    if (block->entry->filling == FILL_SCHEDULE)
        fill_schedule(block, numbers);
    else if (block->entry->filling == FILL_ONE)
        numbers[0] = 1; /* of a scalar */
    else
        fill_random(settings, block, numbers);
    return convert(settings->format, numbers, block->count, out);
}

static bool write_at(int descriptor, const char *data, size_t size, uint64_t offset) {
    while (size > 0) {
        ssize_t written = pwrite(descriptor, data, size, (off_t)offset);
        if (written < 0 && errno != EINTR)
            return false;
        size_t step = written < 0 ? 0 : (size_t)written;
        data += step, size -= step, offset += step;
    }
    return true;
}

static void *work(void *context) {
    Job *job = context;
    float *numbers = memory_grow(NULL, BLOCK * sizeof(float));
    char *bytes = memory_grow(NULL, BLOCK * sizeof(int64_t));
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < job->blocks.count;) {
        const Block *block = &job->blocks.items[i];
        size_t size = fill(job->settings, block, numbers, bytes);
        uint64_t offset = job->data + block->entry->offset + block->begin * (size / block->count);
        if (!write_at(job->descriptor, bytes, size, offset)) {
            atomic_store(&job->error, errno);
            break;
        }
    }
    free(numbers);
    free(bytes);
    return NULL;
}

/* --- The file. */

static unsigned element_size(const Entry *entry, Format format) {
    return entry->filling == FILL_POSITIONS ? sizeof(int64_t) : format_sizes[format];
}

static uint64_t total_size(const Entries *entries, Format format) {
    uint64_t size = 0;
    for (size_t i = 0; i < entries->list.count; i++)
        size += entries->list.items[i].count * element_size(&entries->list.items[i], format);
    return size;
}

static void layout(Entries *entries, Format format) {
    uint64_t offset = 0;
    for (size_t i = 0; i < entries->list.count; i++) {
        Entry *entry = &entries->list.items[i];
        entry->offset = offset;
        offset += entry->count * element_size(entry, format);
    }
}

static void print_shape(Builder *out, const Entry *entry) {
    builder_char(out, '[');
    for (uint32_t d = 0; d < entry->rank; d++)
        builder_format(out, "%s%llu", d ? "," : "", (unsigned long long)entry->dims[d]);
    builder_char(out, ']');
}

static void print_entry(Builder *header, const Entry *entry, Format format) {
    bool positions = entry->filling == FILL_POSITIONS;
    builder_json(header, entry->name);
    builder_format(header,
                   ":{\"dtype\":\"%s\",\"shape\":", positions ? "I64" : format_file_names[format]);
    print_shape(header, entry);
    uint64_t end = entry->offset + entry->count * element_size(entry, format);
    builder_format(header, ",\"data_offsets\":[%llu,%llu]}", (unsigned long long)entry->offset,
                   (unsigned long long)end);
}

/* Padded with spaces, so that the data begin at a multiple of 8. */
static void print_header(Builder *header, const Entries *entries, Format format) {
    builder_add(header, TEXT("########{\"__metadata__\":{\"format\":\"pt\"}"));
    for (size_t i = 0; i < entries->list.count; i++) {
        builder_char(header, ',');
        print_entry(header, &entries->list.items[i], format);
    }
    builder_char(header, '}');
    while (header->size % 8 != 0)
        builder_char(header, ' ');
    uint64_t size = header->size - 8;
    memcpy(header->data, &size, sizeof size);
}

static void cut(Job *job) {
    for (size_t i = 0; i < job->entries->list.count; i++) {
        const Entry *entry = &job->entries->list.items[i];
        for (uint64_t begin = 0; begin < entry->count; begin += BLOCK) {
            uint64_t left = entry->count - begin;
            vector_push(&job->blocks, (Block){entry, begin, left < BLOCK ? left : BLOCK});
        }
    }
}

static void run_workers(Job *job) {
    pthread_t threads[64];
    unsigned started = 0;
    while (started + 1 < job->settings->threads &&
           pthread_create(&threads[started], NULL, work, job) == 0)
        started++;
    work(job);
    while (started > 0)
        pthread_join(threads[--started], NULL);
}

static bool write_file(const Settings *settings, Entries *entries, const char *path) {
    layout(entries, settings->format);
    Builder header = {0};
    print_header(&header, entries, settings->format);
    Job job = {.settings = settings, .entries = entries, .data = header.size};
    job.descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool good = job.descriptor >= 0 && write_at(job.descriptor, header.data, header.size, 0);
    if (good && settings->hollow) {
        uint64_t size = header.size + total_size(entries, settings->format);
        good = ftruncate(job.descriptor, (off_t)size) == 0;
    } else if (good) {
        cut(&job);
        run_workers(&job);
        errno = atomic_load(&job.error);
        good = errno == 0;
    }
    good = good && close(job.descriptor) == 0;
    if (!good)
        fprintf(stderr, "make-models: %s: %s\n", path, strerror(errno));
    vector_free(&job.blocks);
    builder_free(&header);
    return good;
}

/* --- A folder, as transformers writes it. */

static bool write_text(const char *folder, const char *name, Text text) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool good = descriptor >= 0 && write_at(descriptor, text.data, text.size, 0);
    if (!good)
        fprintf(stderr, "make-models: %s: %s\n", path, strerror(errno));
    return good && close(descriptor) == 0;
}

static bool write_config(const Settings *settings) {
    static const char *const torch_names[FORMATS] = {"float16", "bfloat16", "float32"};
    const Decoder *decoder = &settings->architecture->decoder;
    Builder text = {0};
    builder_format(&text,
                   "{\n  \"architectures\": [\"LlamaForCausalLM\"],\n  \"model_type\": \"llama\",\n"
                   "  \"hidden_size\": %llu,\n  \"intermediate_size\": %llu,\n"
                   "  \"num_hidden_layers\": %llu,\n  \"num_attention_heads\": %llu,\n"
                   "  \"num_key_value_heads\": %llu,\n  \"vocab_size\": %llu,\n"
                   "  \"rms_norm_eps\": 1e-05,\n  \"torch_dtype\": \"%s\"\n}\n",
                   (unsigned long long)decoder->width, (unsigned long long)decoder->inner_width,
                   (unsigned long long)decoder->layers,
                   (unsigned long long)(decoder->width / decoder->head_width),
                   (unsigned long long)(decoder->key_width / decoder->head_width),
                   (unsigned long long)decoder->words, torch_names[settings->format]);
    bool good = write_text(settings->output, "config.json", builder_view(&text));
    builder_free(&text);
    return good && write_text(settings->output, "generation_config.json",
                              TEXT("{\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2\n}\n"));
}

/* A few words: what a tokenizer does is nothing to a merge. */
static bool write_tokenizer(const Settings *settings) {
    return write_text(settings->output, "tokenizer.json",
                      TEXT("{\"version\": \"1.0\", \"model\": {\"type\": \"BPE\", \"vocab\": "
                           "{\"<unk>\": 0, \"<s>\": 1, \"</s>\": 2}, \"merges\": []}}\n")) &&
           write_text(settings->output, "tokenizer_config.json",
                      TEXT("{\"tokenizer_class\": \"LlamaTokenizer\"}\n")) &&
           write_text(settings->output, "special_tokens_map.json",
                      TEXT("{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}\n"));
}

static void add_to_index(Builder *index, const Entries *shard, const char *name) {
    for (size_t i = 0; i < shard->list.count; i++) {
        builder_add(index, index->data[index->size - 1] == '{' ? TEXT("\n    ") : TEXT(",\n    "));
        builder_json(index, shard->list.items[i].name);
        builder_format(index, ": \"%s\"", name);
    }
}

/* Those from FIRST on that begin before END bytes of the whole. Writing a shard gives its entries
 * other offsets: those of the shard. */
static Entries next_shard(const Entries *entries, size_t first, uint64_t end) {
    Entries shard = {0};
    shard.list.items = entries->list.items + first;
    while (first + shard.list.count < entries->list.count &&
           shard.list.items[shard.list.count].offset < end)
        shard.list.count++;
    return shard;
}

static bool write_shards(const Settings *settings, Entries *entries, Builder *index) {
    uint64_t total = total_size(entries, settings->format);
    bool good = true;
    size_t first = 0;
    layout(entries, settings->format);
    builder_format(index,
                   "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {",
                   (unsigned long long)total);
    for (unsigned i = 1; i <= settings->shards && good; i++) {
        char name[64], path[4096];
        snprintf(name, sizeof name, "model-%05u-of-%05u.safetensors", i, settings->shards);
        snprintf(path, sizeof path, "%s/%s", settings->output, name);
        Entries shard = next_shard(entries, first, total * i / settings->shards);
        add_to_index(index, &shard, name);
        first += shard.list.count;
        good = write_file(settings, &shard, path);
    }
    builder_add(index, TEXT("\n  }\n}\n"));
    return good;
}

static bool write_folder(const Settings *settings, Entries *entries) {
    Builder index = {0};
    mkdir(settings->output, 0777);
    bool good =
        write_shards(settings, entries, &index) &&
        write_text(settings->output, "model.safetensors.index.json", builder_view(&index)) &&
        (settings->architecture->decoder.width == 0 ||
         (write_config(settings) && write_tokenizer(settings)));
    builder_free(&index);
    return good;
}

static bool write_model(const Settings *settings, Entries *entries) {
    return settings->shards > 0 ? write_folder(settings, entries)
                                : write_file(settings, entries, settings->output);
}

/* Keeps the entries whose keys match. */
static void keep_only(Entries *entries, Text pattern) {
    size_t n = 0;
    for (size_t i = 0; i < entries->list.count; i++)
        if (glob_matches(pattern, entries->list.items[i].name))
            entries->list.items[n++] = entries->list.items[i];
    entries->list.count = n;
}

/* --- The command line. */

_Noreturn static void usage(int status) {
    FILE *stream = status == 0 ? stdout : stderr;
    fputs("usage: make-models [options] OUT.safetensors\n"
          "  --kind NAME     what to make (tiny)\n",
          stream);
    for (int i = 0; i < ARCHITECTURES; i++)
        fprintf(stream, "      %-11s %s\n", architectures[i].name, architectures[i].about);
    fputs("  --seed N        weights depend on it alone (0)\n"
          "  --dtype NAME    f16, bf16 or f32 (f16)\n"
          "  --base SEED     a fine-tune of the model of that seed\n"
          "  --strength S    how much it differs from it (0.1)\n"
          "  --lora RANK     not the model, but a LoRA for its transformers\n"
          "  --shards N      a folder of so many, with index, config and tokenizer\n"
          "  --ema           with the moving average of the denoiser\n"
          "  --only GLOB     keys that match\n"
          "  --hollow        without weights: a file that takes no room, for what reads headers\n"
          "  --threads N     at work (2)\n"
          "  --list          print keys and shapes instead of writing a file\n",
          stream);
    exit(status);
}

static const Architecture *architecture_named(const char *name) {
    for (int i = 0; i < ARCHITECTURES; i++)
        if (strcmp(architectures[i].name, name) == 0)
            return &architectures[i];
    usage(2);
}

static Format format_named(const char *name) {
    for (int i = 0; i < FORMATS; i++)
        if (strcmp(format_names[i], name) == 0)
            return (Format)i;
    usage(2);
}

static double number(const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end)
        usage(2);
    return value;
}

static void set_option(Settings *settings, const char *name, const char *value) {
    if (strcmp(name, "--kind") == 0)
        settings->architecture = architecture_named(value);
    else if (strcmp(name, "--seed") == 0)
        settings->seed = (uint64_t)number(value);
    else if (strcmp(name, "--lora") == 0)
        settings->lora = (uint64_t)number(value);
    else if (strcmp(name, "--dtype") == 0)
        settings->format = format_named(value);
    else if (strcmp(name, "--strength") == 0)
        settings->strength = number(value);
    else if (strcmp(name, "--threads") == 0)
        settings->threads = (unsigned)number(value);
    else if (strcmp(name, "--shards") == 0)
        settings->shards = (unsigned)number(value);
    else if (strcmp(name, "--only") == 0)
        settings->only = value;
    else if (strcmp(name, "--base") == 0) {
        settings->base = (uint64_t)number(value);
        settings->strength = settings->strength != 0 ? settings->strength : 0.1;
    } else
        usage(2);
}

static Settings parse(int argc, char **argv) {
    Settings settings = {.architecture = &architectures[0], .threads = 2};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            usage(0);
        else if (strcmp(argv[i], "--list") == 0)
            settings.list = true;
        else if (strcmp(argv[i], "--ema") == 0)
            settings.average = true;
        else if (strcmp(argv[i], "--hollow") == 0)
            settings.hollow = true;
        else if (strncmp(argv[i], "--", 2) == 0 && i + 1 < argc)
            set_option(&settings, argv[i], argv[i + 1]), i++;
        else if (*argv[i] != '-' && !settings.output)
            settings.output = argv[i];
        else
            usage(2);
    }
    if (!settings.output != settings.list || settings.threads < 1 || settings.threads > 64)
        usage(2);
    return settings;
}

static void print_list(const Entries *entries) {
    for (size_t i = 0; i < entries->list.count; i++) {
        Builder line = {0};
        builder_add(&line, entries->list.items[i].name);
        builder_char(&line, '\t');
        print_shape(&line, &entries->list.items[i]);
        printf("%.*s\n", TEXT_ARG(builder_view(&line)));
        builder_free(&line);
    }
}

int main(int argc, char **argv) {
    Settings settings = parse(argc, argv);
    Entries entries = {0};
    if (settings.lora > 0)
        build_lora(&entries, settings.architecture, settings.lora);
    else
        build(&entries, settings.architecture);
    if (settings.average)
        build_average(&entries);
    if (settings.only)
        keep_only(&entries, text_from(settings.only));
    bool good = entries.list.count > 0;
    if (!good)
        fprintf(stderr, "make-models: no key matches '%s'\n", settings.only);
    else if (settings.list)
        print_list(&entries);
    else
        good = write_model(&settings, &entries);
    vector_free(&entries.list);
    arena_free(&entries.arena);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
