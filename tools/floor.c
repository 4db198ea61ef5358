/* The floor: reads every byte of the inputs once and writes every byte of an output, and does
 * nothing else. What a merge takes is told as a ratio to this.
 *
 *     floor [--threads N] [--mode mmap|pread|best] [--write BYTES] OUT IN…
 *
 * The output is as large as the first input, or of BYTES bytes.
 *
 * The work is cut like a merge's: a thread takes a block, reads it from every input, and writes
 * it while it is still in the cache. Prints the seconds. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    INPUT_LIMIT = 512,
    THREAD_LIMIT = 64,
    BLOCK = 256 << 10,      /* read and written at once: fits the second level cache */
    DROP_BEHIND = 16 << 20, /* pages are given back in runs of this size */
};

typedef enum Mode { MODE_MMAP, MODE_PREAD } Mode;

typedef struct Input {
    int descriptor;
    const char *map; /* NULL: read with pread */
    uint64_t size;
} Input;

typedef struct Job {
    Input inputs[INPUT_LIMIT];
    unsigned n_inputs;
    uint64_t size;  /* of the largest input */
    uint64_t write; /* bytes of the output */
    int output;
    _Atomic uint64_t next; /* the block to do next */
    _Atomic uint64_t sum;  /* of all that was read, so that reading cannot be left out */
} Job;

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static uint64_t sum_words(const char *data, size_t size) {
    uint64_t lanes[8] = {0}, word;
    for (size_t i = 0; i + 64 <= size; i += 64)
        for (int lane = 0; lane < 8; lane++) {
            memcpy(&word, data + i + 8 * lane, sizeof word);
            lanes[lane] ^= word;
        }
    for (size_t i = size & ~(size_t)63; i < size; i++)
        lanes[0] += (unsigned char)data[i];
    return lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3] ^ lanes[4] ^ lanes[5] ^ lanes[6] ^ lanes[7];
}

static void write_all(int descriptor, const char *data, size_t size, uint64_t offset) {
    while (size > 0) {
        ssize_t written = pwrite(descriptor, data, size, (off_t)offset);
        if (written < 0)
            fail("write");
        data += written, size -= (size_t)written, offset += (uint64_t)written;
    }
}

/* The bytes [OFFSET, OFFSET + SIZE) of an input: in its map, or read into BUFFER. */
static const char *view(const Input *input, uint64_t offset, size_t size, char *buffer) {
    if (input->map)
        return input->map + offset;
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(input->descriptor, buffer + done, size - done, (off_t)(offset + done));
        if (got <= 0)
            fail("read");
        done += (size_t)got;
    }
    return buffer;
}

static size_t part(const Input *input, uint64_t offset) {
    uint64_t left = offset < input->size ? input->size - offset : 0;
    return left < BLOCK ? left : BLOCK;
}

/* Where the output of the first OFFSET bytes of the first input ends. */
static uint64_t written_before(const Job *job, uint64_t offset) {
    uint64_t size = job->inputs[0].size;
    return (uint64_t)((unsigned __int128)(offset < size ? offset : size) * job->write / size);
}

/* Of DATA, of SIZE bytes, what an output of another size needs in its place. */
static void write_share(const Job *job, const char *data, size_t size, uint64_t offset) {
    uint64_t end = written_before(job, offset + size);
    for (uint64_t begin = written_before(job, offset); begin < end;) {
        size_t step = end - begin < size ? end - begin : size;
        write_all(job->output, data, step, begin);
        begin += step;
    }
}

/* One block: read from all inputs, written as the first has it. */
static uint64_t do_block(Job *job, uint64_t offset, char *first, char *other) {
    uint64_t sum = 0;
    const char *kept = first;
    for (unsigned i = 0; i < job->n_inputs; i++) {
        size_t size = part(&job->inputs[i], offset);
        const char *data = view(&job->inputs[i], offset, size, i == 0 ? first : other);
        sum += sum_words(data, size);
        if (i == 0)
            kept = data;
    }
    write_share(job, kept, part(&job->inputs[0], offset), offset);
    return sum;
}

static void drop_behind(Job *job, uint64_t offset) {
    for (unsigned i = 0; i < job->n_inputs; i++)
        if (job->inputs[i].map && offset + DROP_BEHIND <= job->inputs[i].size)
            madvise((char *)job->inputs[i].map + offset, DROP_BEHIND, MADV_DONTNEED);
}

static void *work(void *context) {
    Job *job = context;
    char *first = malloc(BLOCK), *other = malloc(BLOCK);
    if (!first || !other)
        fail("memory");
    uint64_t sum = 0;
    for (uint64_t begin; (begin = atomic_fetch_add(&job->next, DROP_BEHIND)) < job->size;) {
        for (uint64_t offset = begin; offset < begin + DROP_BEHIND && offset < job->size;
             offset += BLOCK)
            sum += do_block(job, offset, first, other);
        drop_behind(job, begin);
    }
    atomic_fetch_add(&job->sum, sum);
    free(first);
    free(other);
    return NULL;
}

static void open_input(Job *job, const char *path, Mode mode) {
    struct stat status;
    Input *input = &job->inputs[job->n_inputs++];
    input->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (input->descriptor < 0 || fstat(input->descriptor, &status) != 0 || status.st_size == 0)
        fail(path);
    input->size = (uint64_t)status.st_size;
    job->size = input->size > job->size ? input->size : job->size;
    if (mode != MODE_MMAP)
        return;
    void *map = mmap(NULL, input->size, PROT_READ, MAP_SHARED, input->descriptor, 0);
    if (map == MAP_FAILED)
        fail(path);
    madvise(map, input->size, MADV_SEQUENTIAL);
    input->map = map;
}

static void close_all(Job *job) {
    for (unsigned i = 0; i < job->n_inputs; i++) {
        if (job->inputs[i].map)
            munmap((void *)job->inputs[i].map, job->inputs[i].size);
        close(job->inputs[i].descriptor);
    }
    if (close(job->output) != 0)
        fail("close");
}

static void run_threads(Job *job, unsigned n_threads) {
    pthread_t threads[THREAD_LIMIT];
    for (unsigned i = 1; i < n_threads; i++)
        if ((errno = pthread_create(&threads[i], NULL, work, job)) != 0)
            fail("thread");
    work(job);
    for (unsigned i = 1; i < n_threads; i++)
        pthread_join(threads[i], NULL);
}

/* The seconds from opening the inputs to closing the output, which is made anew each time. */
static double measure(char *const *inputs, int n_inputs, const char *output, uint64_t write,
                      Mode mode, unsigned n_threads, uint64_t *sum) {
    static Job job;
    job = (Job){0};
    unlink(output);
    double begin = now();
    for (int i = 0; i < n_inputs; i++)
        open_input(&job, inputs[i], mode);
    job.write = write ? write : job.inputs[0].size;
    job.output = open(output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (job.output < 0)
        fail(output);
    run_threads(&job, n_threads);
    close_all(&job);
    *sum = atomic_load(&job.sum);
    return now() - begin;
}

_Noreturn static void usage(void) {
    fputs("usage: floor [--threads N] [--mode mmap|pread|best] [--write BYTES] OUT IN...\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv) {
    long threads = 2;
    uint64_t write = 0;
    const char *mode = "best";
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--threads") == 0)
            threads = strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--mode") == 0)
            mode = argv[i + 1];
        else if (strcmp(argv[i], "--write") == 0)
            write = strtoull(argv[i + 1], NULL, 10);
        else
            usage();
    }
    bool map = strcmp(mode, "mmap") == 0, read = strcmp(mode, "pread") == 0;
    bool best = strcmp(mode, "best") == 0;
    int n_inputs = argc - i - 1;
    if (n_inputs < 1 || n_inputs > INPUT_LIMIT || threads < 1 || threads > THREAD_LIMIT ||
        !(map || read || best))
        usage();
    uint64_t sums[2] = {0};
    double seconds[2] = {1e9, 1e9};
    for (int m = MODE_MMAP; m <= MODE_PREAD; m++)
        if (best || (m == MODE_MMAP ? map : read))
            seconds[m] = measure(argv + i + 1, n_inputs, argv[i], write, (Mode)m, (unsigned)threads,
                                 &sums[m]);
    int faster = seconds[MODE_PREAD] < seconds[MODE_MMAP] ? MODE_PREAD : MODE_MMAP;
    printf("%.4f %s %016llx\n", seconds[faster], faster == MODE_MMAP ? "mmap" : "pread",
           (unsigned long long)sums[faster]);
    return EXIT_SUCCESS;
}
