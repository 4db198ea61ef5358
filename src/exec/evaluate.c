#include "exec/evaluate.h"

#include "exec/input_content.h"
#include "exec/job.h"
#include "exec/whole_call.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
    BATCH_TASKS = 64, /* small tasks that a thread takes at once, */
    BATCH_ELEMENTS = CHUNK_TILES * TILE_ELEMENTS,
    READ_AHEAD = 64 << 20,  /* bytes of the leaves of tasks to come */
    ADVISE_LEAST = 1 << 16, /* bytes of a leaf that are worth a system call */
    JOBS_HELD_UP = 8,       /* that threads pass over, for those behind them */
    PROGRESS_NANOSECONDS = 50 * 1000 * 1000
};

/* Everything here is guarded by the lock, but for `stopping`. */
typedef struct Evaluation {
    const Plan *plan;
    const EvaluateOptions *options;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a sweep was opened, a job is idle again, or all is done */
    atomic_bool stopping;

    uint32_t next_task;
    uint32_t next_ahead;  /* the first task whose leaves were not asked for yet */
    uint64_t bytes_ahead; /* of those that were, but whose task was not begun */
    NativeCache natives;
    Job *jobs; /* one for each thread, and JOBS_HELD_UP */
    Job *idle;
    Job *open; /* those with chunks to take, earliest task first */
    unsigned n_active;
    uint64_t memory; /* of active jobs */

    EvaluateResult result;
    VECTOR(NonFinite) hits;
    uint64_t tasks_done;
    bool reporting; /* one thread is in the callback */
    uint64_t last_report;
} Evaluation;

typedef struct Worker {
    Evaluation *evaluation;
    Machine machine;
    VECTOR(NonFinite) hits; /* of the tasks that this thread completed */
    pthread_t thread;
} Worker;

/* --- Memory --------------------------------------------------------------------------------- */

/* Bytes of a thread's machine and of its outbox. */
typedef struct Needs {
    size_t machine, outbox;
} Needs;

static void add_needs(Needs *needs, const Task *task) {
    const PassList *passes = task->passes;
    for (uint32_t i = 0; i < passes->n_passes; i++) {
        const Pass *pass = &passes->passes[i];
        if (pass->kind != PASS_TILES)
            continue;
        size_t machine = machine_bytes(pass, task_domain(task, pass->domain), passes->compute);
        size_t outbox = machine_outbox(pass);
        needs->machine = machine > needs->machine ? machine : needs->machine;
        needs->outbox = outbox > needs->outbox ? outbox : needs->outbox;
    }
}

/* Consecutive tasks with the same passes need the same. */
static Needs worker_needs(const Plan *plan) {
    Needs needs = {0};
    for (uint32_t i = 0; i < plan->n_tasks; i++)
        if (i == 0 || plan->tasks[i].passes != plan->tasks[i - 1].passes)
            add_needs(&needs, &plan->tasks[i]);
    return needs;
}

uint64_t worker_memory(const Plan *plan) {
    Needs needs = worker_needs(plan);
    return needs.machine + needs.outbox;
}

static bool worker_init(Worker *worker, Evaluation *evaluation, Needs needs) {
    *worker = (Worker){.evaluation = evaluation};
    size_t begin = (needs.machine + 64) / 64 * 64;
    unsigned char *memory = aligned_alloc(64, begin + (needs.outbox + 63) / 64 * 64);
    struct InputContent *content = evaluation->options->content;
    Content *contents = content != NULL ? input_content_sums(content) : NULL;
    if (memory == NULL || (content != NULL && contents == NULL)) {
        free(memory);
        free(contents);
        return false;
    }
    worker->machine.memory = memory;
    worker->machine.contents = contents;
    worker->machine.outbox.memory = memory + begin;
    worker->machine.outbox.size = needs.outbox;
    worker->machine.outbox.prompt = evaluation->options->finished != NULL;
    return true;
}

static void worker_free(Worker *worker) {
    free(worker->machine.memory);
    free(worker->machine.contents);
    vector_free(&worker->hits);
}

/* --- Ends and reports ----------------------------------------------------------------------- */

static void stop(Evaluation *evaluation, EvaluateStatus status) {
    if (evaluation->result.status == EVALUATE_DONE)
        evaluation->result.status = status;
    atomic_store(&evaluation->stopping, true);
    pthread_cond_broadcast(&evaluation->changed);
}

/* What a task makes first stands for all that it makes. */
static Text task_key(const Plan *plan, const Task *task) {
    const TaskOutput *first = task->outputs;
    return plan->outputs[first->output].tensors[first->tensor].name;
}

static void stop_failed(Evaluation *evaluation, const Job *job) {
    if (evaluation->result.status != EVALUATE_DONE)
        return;
    evaluation->result.failure = job->failure;
    evaluation->result.failed_key = task_key(evaluation->plan, job->frame.task);
    stop(evaluation, EVALUATE_FAILED);
}

static bool is_stopping(Evaluation *evaluation) {
    const volatile int *interrupted = evaluation->options->interrupted;
    return (interrupted != NULL && __atomic_load_n(interrupted, __ATOMIC_RELAXED) != 0) ||
           atomic_load(&evaluation->stopping);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void count_bytes(Evaluation *evaluation, Machine *machine) {
    evaluation->result.bytes_read += machine->bytes_read;
    evaluation->result.bytes_written += machine->outbox.bytes_written;
    machine->bytes_read = machine->outbox.bytes_written = 0;
}

/* The callback runs outside the lock, so that no thread waits for a terminal. */
static void report(Evaluation *evaluation) {
    const EvaluateOptions *options = evaluation->options;
    if (options->progress == NULL || evaluation->reporting)
        return;
    uint64_t time = now();
    if (time - evaluation->last_report < PROGRESS_NANOSECONDS)
        return;
    uint64_t tasks = evaluation->tasks_done, bytes = evaluation->result.bytes_written;
    evaluation->reporting = true;
    pthread_mutex_unlock(&evaluation->lock);
    options->progress(options->progress_context, tasks, bytes);
    pthread_mutex_lock(&evaluation->lock);
    evaluation->reporting = false;
    evaluation->last_report = time;
}

/* --- Jobs ----------------------------------------------------------------------------------- */

/* Offers the job's chunks to all threads. */
static void publish(Evaluation *evaluation, Job *job) {
    Job **at = &evaluation->open;
    while (*at != NULL && (*at)->number < job->number)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    pthread_cond_broadcast(&evaluation->changed);
}

static void retire(Evaluation *evaluation, Job *job, uint64_t memory) {
    job->next = evaluation->idle;
    evaluation->idle = job;
    evaluation->n_active--;
    evaluation->memory -= memory;
    pthread_cond_broadcast(&evaluation->changed);
}

/* Checks count only where the leaves are as they should be: without those that are not, they may
 * well hold. */
static void collect_hits(Worker *worker, const Job *job) {
    const PassList *passes = job->frame.task->passes;
    size_t before = worker->hits.count;
    for (size_t i = 0; i < job->non_finite.count; i++)
        if (atomic_load_explicit(&job->non_finite.items[i], memory_order_relaxed))
            vector_push(&worker->hits, (NonFinite){job->number, (uint32_t)i});
    bool finite = worker->hits.count == before;
    for (uint32_t i = 0; finite && i < passes->n_checks; i++)
        if (job->uniforms.items[passes->checks[i]] == 0)
            vector_push(&worker->hits, (NonFinite){job->number, passes->n_leaves + i});
    const EvaluateOptions *options = worker->evaluation->options;
    if (worker->hits.count == before && options->finished != NULL)
        options->finished(options->finished_context, job->frame.task);
}

/* What came of a thread's work on a job. */
typedef enum Advance { ADVANCE_PUBLISHED, ADVANCE_COMPLETE, ADVANCE_STOPPED } Advance;

static Advance stop_job(Worker *worker, const Job *job, EvaluateStatus status) {
    Evaluation *evaluation = worker->evaluation;
    pthread_mutex_lock(&evaluation->lock);
    if (status == EVALUATE_FAILED)
        stop_failed(evaluation, job);
    else
        stop(evaluation, status);
    pthread_mutex_unlock(&evaluation->lock);
    return ADVANCE_STOPPED;
}

/* Takes a job that no thread works on from sweep to sweep, until there is one that others can help
 * with. Without the lock. */
static Advance advance(Worker *worker, Job *job) {
    Evaluation *evaluation = worker->evaluation;
    while (!is_stopping(evaluation)) {
        JobStep step = job_next(job, &worker->machine);
        if (step == JOB_FAILED)
            return stop_job(worker, job, EVALUATE_FAILED);
        if (step == JOB_COMPLETE) {
            collect_hits(worker, job);
            return ADVANCE_COMPLETE;
        }
        if (job->n_chunks > 1) {
            pthread_mutex_lock(&evaluation->lock);
            publish(evaluation, job);
            pthread_mutex_unlock(&evaluation->lock);
            return ADVANCE_PUBLISHED;
        }
        if (job->n_chunks == 1) {
            EvaluateStatus status = job_run(job, &worker->machine, 0);
            if (status != EVALUATE_DONE)
                return stop_job(worker, job, status);
        }
    }
    return ADVANCE_STOPPED;
}

static void complete(Worker *worker, Job *job, uint32_t n_tasks, uint64_t memory) {
    Evaluation *evaluation = worker->evaluation;
    evaluation->tasks_done += n_tasks;
    count_bytes(evaluation, &worker->machine);
    retire(evaluation, job, memory);
    report(evaluation);
}

/* --- Chunks of open jobs -------------------------------------------------------------------- */

/* The earliest open job that is not held up, or where NULL is; with the lock. */
static Job **find_open(Evaluation *evaluation) {
    Job **at = &evaluation->open;
    while (*at != NULL && job_is_held_up(*at))
        at = &(*at)->next;
    return at;
}

/* Takes a chunk of the open job that is at AT; with the lock. */
static void work_chunk(Worker *worker, Job **at) {
    Evaluation *evaluation = worker->evaluation;
    Job *job = *at;
    uint64_t chunk = job->next_chunk++;
    if (job->next_chunk == job->n_chunks)
        *at = job->next;
    pthread_mutex_unlock(&evaluation->lock);
    EvaluateStatus status = job_run(job, &worker->machine, chunk);
    pthread_mutex_lock(&evaluation->lock);
    count_bytes(evaluation, &worker->machine);
    if (status != EVALUATE_DONE) {
        stop(evaluation, status);
        return;
    }
    if (--job->chunks_left > 0) {
        report(evaluation);
        return;
    }
    pthread_mutex_unlock(&evaluation->lock);
    uint64_t memory = task_memory(job->frame.task);
    Advance result = advance(worker, job);
    pthread_mutex_lock(&evaluation->lock);
    if (result == ADVANCE_COMPLETE)
        complete(worker, job, 1, memory);
}

/* --- New tasks ------------------------------------------------------------------------------ */

/* Tasks that one thread takes up, one after the other. */
typedef struct Batch {
    uint32_t begin, end;
    uint64_t memory;
} Batch;

/* The elements of all passes of a task that no second thread could help with, or UINT64_MAX. */
static uint64_t small_elements(const Task *task) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < task->passes->n_passes; i++) {
        const Pass *pass = &task->passes->passes[i];
        if (pass->kind == PASS_WHOLE || pass_chunks(task, pass) > 1)
            return UINT64_MAX;
        sum += pass->kind == PASS_COPY ? task->leaves[pass->copy_leaf]->count
                                       : shape_count(task_domain(task, pass->domain));
    }
    return sum;
}

/* The next task, and those after it as long as they are small. */
static Batch next_batch(const Evaluation *evaluation) {
    const Plan *plan = evaluation->plan;
    Batch batch = {evaluation->next_task, evaluation->next_task, 0};
    uint64_t sum = 0;
    while (batch.end < plan->n_tasks && batch.end - batch.begin < BATCH_TASKS) {
        const Task *task = &plan->tasks[batch.end];
        uint64_t elements = small_elements(task);
        bool fits = elements <= BATCH_ELEMENTS && sum + elements <= BATCH_ELEMENTS;
        if (!fits && batch.end > batch.begin)
            break;
        uint64_t memory = task_memory(task);
        batch.memory = memory > batch.memory ? memory : batch.memory;
        batch.end++;
        if (!fits)
            break;
        sum += elements;
    }
    return batch;
}

static uint64_t leaf_bytes(const Task *task) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < task->passes->n_leaves; i++)
        sum += task->leaves[i] != NULL ? task->leaves[i]->bytes : 0;
    return sum;
}

/* Whether a batch was taken; with the lock. */
static bool take_batch(Evaluation *evaluation, Batch *batch) {
    if (evaluation->idle == NULL || evaluation->next_task == evaluation->plan->n_tasks)
        return false;
    *batch = next_batch(evaluation);
    if (evaluation->n_active > 0 &&
        evaluation->memory + batch->memory > evaluation->options->memory)
        return false;
    evaluation->next_task = batch->end;
    evaluation->n_active++;
    evaluation->memory += batch->memory;
    return true;
}

/* The system starts to read what comes next while this thread computes. */
static Batch next_ahead(Evaluation *evaluation, const Batch *taken) {
    const Plan *plan = evaluation->plan;
    for (uint32_t i = taken->begin; i < taken->end && i < evaluation->next_ahead; i++)
        evaluation->bytes_ahead -= leaf_bytes(&plan->tasks[i]);
    if (evaluation->next_ahead < taken->end)
        evaluation->next_ahead = taken->end;
    Batch ahead = {.begin = evaluation->next_ahead};
    while (evaluation->next_ahead < plan->n_tasks && evaluation->bytes_ahead < READ_AHEAD)
        evaluation->bytes_ahead += leaf_bytes(&plan->tasks[evaluation->next_ahead++]);
    ahead.end = evaluation->next_ahead;
    return ahead;
}

static void read_ahead(const Evaluation *evaluation, const Batch *ahead) {
    for (uint32_t i = ahead->begin; i < ahead->end; i++) {
        const Task *task = &evaluation->plan->tasks[i];
        for (uint32_t j = 0; j < task->passes->n_leaves; j++)
            if (task->leaves[j] != NULL && task->leaves[j]->bytes >= ADVISE_LEAST)
                model_will_need(task->leaves[j], 0, task->leaves[j]->bytes);
    }
}

/* With the lock. A task that is published is the only one of its batch. */
static void work_batch(Worker *worker, Batch batch) {
    Evaluation *evaluation = worker->evaluation;
    Job *job = evaluation->idle;
    evaluation->idle = job->next;
    Batch ahead = next_ahead(evaluation, &batch);
    pthread_mutex_unlock(&evaluation->lock);
    read_ahead(evaluation, &ahead);
    Advance result = ADVANCE_COMPLETE;
    for (uint32_t i = batch.begin; i < batch.end && result == ADVANCE_COMPLETE; i++) {
        job_begin(job, i);
        result = advance(worker, job);
    }
    pthread_mutex_lock(&evaluation->lock);
    if (result == ADVANCE_COMPLETE)
        complete(worker, job, batch.end - batch.begin, batch.memory);
}

/* --- Threads -------------------------------------------------------------------------------- */

static bool is_done(const Evaluation *evaluation) {
    return evaluation->n_active == 0 && evaluation->next_task == evaluation->plan->n_tasks;
}

/* Before a thread waits for others, or ends; with the lock. */
static void send_rest(Worker *worker) {
    Evaluation *evaluation = worker->evaluation;
    pthread_mutex_unlock(&evaluation->lock);
    outbox_flush(&worker->machine.outbox);
    pthread_mutex_lock(&evaluation->lock);
    count_bytes(evaluation, &worker->machine);
    if (worker->machine.outbox.failed)
        stop(evaluation, EVALUATE_WRITE_FAILED);
}

static void *work(void *context) {
    Worker *worker = context;
    Evaluation *evaluation = worker->evaluation;
    pthread_mutex_lock(&evaluation->lock);
    while (!is_stopping(evaluation) && !is_done(evaluation)) {
        Batch batch;
        Job **open = find_open(evaluation);
        if (*open != NULL)
            work_chunk(worker, open);
        else if (take_batch(evaluation, &batch))
            work_batch(worker, batch);
        else if (evaluation->open != NULL)
            work_chunk(worker, &evaluation->open);
        else if (worker->machine.outbox.n_waiting > 0)
            send_rest(worker);
        else
            pthread_cond_wait(&evaluation->changed, &evaluation->lock);
    }
    if (!is_done(evaluation))
        stop(evaluation, EVALUATE_INTERRUPTED);
    else
        send_rest(worker);
    pthread_cond_broadcast(&evaluation->changed);
    for (size_t i = 0; i < worker->hits.count; i++)
        vector_push(&evaluation->hits, worker->hits.items[i]);
    if (worker->machine.contents != NULL)
        input_content_add(evaluation->options->content, worker->machine.contents);
    pthread_mutex_unlock(&evaluation->lock);
    return NULL;
}

/* The calling thread is the first worker. Where the system gives no more threads or memory for
 * one, those that are there do the work. */
static void run_workers(Evaluation *evaluation) {
    Needs needs = worker_needs(evaluation->plan);
    unsigned n = evaluation->options->threads, started = 1;
    Worker *workers = memory_grow(NULL, memory_size(n, sizeof *workers));
    if (!worker_init(&workers[0], evaluation, needs))
        memory_exhausted();
    for (; started < n; started++) {
        Worker *worker = &workers[started];
        if (!worker_init(worker, evaluation, needs))
            break;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            worker_free(worker);
            break;
        }
    }
    work(&workers[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < started; i++)
        worker_free(&workers[i]);
    free(workers);
}

static int compare_hits(const void *a, const void *b) {
    const NonFinite *x = a, *y = b;
    if (x->task != y->task)
        return x->task < y->task ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static unsigned count_jobs(const Evaluation *evaluation) {
    return evaluation->options->threads + JOBS_HELD_UP;
}

static void make_jobs(Evaluation *evaluation) {
    unsigned n = count_jobs(evaluation);
    evaluation->jobs = memory_grow(NULL, memory_size(n, sizeof *evaluation->jobs));
    for (unsigned i = n; i-- > 0;) {
        job_init(&evaluation->jobs[i], evaluation->plan, evaluation->options, &evaluation->natives);
        evaluation->jobs[i].next = evaluation->idle;
        evaluation->idle = &evaluation->jobs[i];
    }
}

static void free_jobs(Evaluation *evaluation) {
    for (unsigned i = 0; i < count_jobs(evaluation); i++)
        job_free(&evaluation->jobs[i]);
    free(evaluation->jobs);
}

/* Loads what the plan's primitives need. */
static bool open_primitives(Evaluation *evaluation) {
    const Plan *plan = evaluation->plan;
    for (uint32_t i = 0; i < plan->n_tasks; i++)
        for (uint32_t j = 0; j < plan->tasks[i].passes->n_passes; j++) {
            const Pass *pass = &plan->tasks[i].passes->passes[j];
            Text wrong = pass->kind == PASS_WHOLE ? whole_open(pass->whole.op) : TEXT("");
            if (wrong.size == 0)
                continue;
            evaluation->result.status = EVALUATE_FAILED;
            evaluation->result.failure = wrong;
            evaluation->result.failed_key = task_key(plan, &plan->tasks[i]);
            return false;
        }
    return true;
}

EvaluateResult evaluate(const Plan *plan, const EvaluateOptions *options) {
    Evaluation evaluation = {.plan = plan, .options = options};
    if (!open_primitives(&evaluation))
        return evaluation.result;
    pthread_mutex_init(&evaluation.lock, NULL);
    pthread_cond_init(&evaluation.changed, NULL);
    native_cache_init(&evaluation.natives);
    make_jobs(&evaluation);
    run_workers(&evaluation);
    free_jobs(&evaluation);
    native_cache_free(&evaluation.natives);
    pthread_cond_destroy(&evaluation.changed);
    pthread_mutex_destroy(&evaluation.lock);
    EvaluateResult result = evaluation.result;
    if (options->progress != NULL)
        options->progress(options->progress_context, evaluation.tasks_done, result.bytes_written);
    vector_sort(&evaluation.hits, compare_hits);
    result.hits = evaluation.hits.items;
    result.n_hits = evaluation.hits.count;
    return result;
}
