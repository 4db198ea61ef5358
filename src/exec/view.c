#include "exec/view.h"

#include <string.h>

/* Elements that are brought together before they are converted at once; runs that are at least a
 * quarter as long are converted where they are. */
enum { GATHER = 256 };

size_t element_size(DType dtype) {
    return dtype_info[dtype].bits / 8;
}

Walk walk_start(const Access *access, uint64_t index) {
    Walk walk = {.access = access, .place = access->offset};
    if (access->contiguous) {
        walk.place += index;
        return walk;
    }
    for (uint32_t i = access->rank; i-- > 0;) {
        walk.position[i] = index % access->dims[i];
        index /= access->dims[i];
        walk.place += walk.position[i] * (uint64_t)access->strides[i];
    }
    return walk;
}

/* Moves N elements along the innermost dimension, and on to the next line at its end. */
static void walk_move(Walk *walk, uint64_t n) {
    const Access *access = walk->access;
    uint64_t step = n;
    for (uint32_t i = access->rank; i-- > 0; step = 1) {
        walk->position[i] += step;
        walk->place += step * (uint64_t)access->strides[i];
        if (walk->position[i] < access->dims[i])
            return;
        walk->position[i] = 0;
        walk->place -= access->dims[i] * (uint64_t)access->strides[i];
    }
}

Run walk_next(Walk *walk, size_t most) {
    const Access *access = walk->access;
    Run run = {walk->place, 1, most};
    if (access->contiguous) {
        walk->place += most;
        return run;
    }
    if (access->rank == 0) {
        run.n = most < 1 ? most : 1;
        return run;
    }
    uint32_t last = access->rank - 1;
    uint64_t left = access->dims[last] - walk->position[last];
    run.stride = access->strides[last];
    run.n = most < left ? most : (size_t)left;
    walk_move(walk, run.n);
    return run;
}

/* dst[i] = src[i * stride], and the reverse, for elements of any size. */
#define COPY_STRIDED(type)                                                                         \
    for (size_t i = 0; i < n; i++)                                                                 \
    memcpy(dst + (int64_t)i * dst_stride * (int64_t)sizeof(type),                                  \
           src + (int64_t)i * src_stride * (int64_t)sizeof(type), sizeof(type))

static void copy_strided(unsigned char *dst, int64_t dst_stride, const unsigned char *src,
                         int64_t src_stride, size_t size, size_t n) {
    switch (size) {
    case 1:
        COPY_STRIDED(uint8_t);
        break;
    case 2:
        COPY_STRIDED(uint16_t);
        break;
    case 4:
        COPY_STRIDED(uint32_t);
        break;
    default:
        COPY_STRIDED(uint64_t);
    }
}

/* A load on its way: elements gathered as stored, and what has been converted. */
typedef struct Load {
    LoadLoop *convert;
    size_t stored_size, compute_size;
    unsigned char *dst; /* of the next conversion */
    size_t gathered;
    bool finite;
    unsigned char elements[GATHER * 8];
} Load;

static void load_convert(Load *load, const unsigned char *stored, size_t n) {
    load->finite &= load->convert(load->dst, stored, n);
    load->dst += n * load->compute_size;
}

static void load_flush(Load *load) {
    if (load->gathered > 0)
        load_convert(load, load->elements, load->gathered);
    load->gathered = 0;
}

static void load_run(Load *load, const unsigned char *data, Run run) {
    size_t size = load->stored_size;
    const unsigned char *from = data + run.first * size;
    if (run.stride == 1 && run.n >= GATHER / 4) {
        load_flush(load);
        load_convert(load, from, run.n);
        return;
    }
    while (run.n > 0) {
        size_t room = GATHER - load->gathered, n = run.n < room ? run.n : room;
        copy_strided(load->elements + load->gathered * size, 1, from, run.stride, size, n);
        from += (int64_t)n * run.stride * (int64_t)size;
        load->gathered += n;
        run.n -= n;
        if (load->gathered == GATHER)
            load_flush(load);
    }
}

static void load_mask(MaskLoop *convert, size_t compute_size, const Access *access,
                      const uint32_t *mask, uint64_t begin, size_t n, unsigned char *dst) {
    Walk walk = walk_start(access, begin);
    while (n > 0) {
        Run run = walk_next(&walk, n);
        size_t part = run.stride == 1 ? run.n : 1;
        for (size_t i = 0; i < run.n; i += part)
            convert(dst + i * compute_size, mask, run.first + i * (uint64_t)run.stride, part);
        dst += run.n * compute_size;
        n -= run.n;
    }
}

bool view_load(const KernelTable *table, size_t compute_size, const Access *access,
               const void *data, uint64_t begin, size_t n, void *dst) {
    size_t size = element_size(access->dtype);
    LoadLoop *convert = table->load[access->dtype];
    if (access->kind == PLACE_MASK) {
        load_mask(table->mask, compute_size, access, data, begin, n, dst);
        return true;
    }
    if (access->contiguous)
        return convert(dst, (const unsigned char *)data + (access->offset + begin) * size, n);
    Load load;
    load.convert = convert;
    load.stored_size = size;
    load.compute_size = compute_size;
    load.dst = dst;
    load.gathered = 0;
    load.finite = true;
    Walk walk = walk_start(access, begin);
    while (n > 0) {
        Run run = walk_next(&walk, n);
        load_run(&load, data, run);
        n -= run.n;
    }
    load_flush(&load);
    return load.finite;
}

void view_store(const Access *access, void *data, uint64_t begin, size_t n, const void *src) {
    size_t size = element_size(access->dtype);
    const unsigned char *from = src;
    Walk walk = walk_start(access, begin);
    while (n > 0) {
        Run run = walk_next(&walk, n);
        unsigned char *to = (unsigned char *)data + run.first * size;
        if (run.stride == 1)
            memcpy(to, from, run.n * size);
        else
            copy_strided(to, run.stride, from, 1, size, run.n);
        from += run.n * size;
        n -= run.n;
    }
}
