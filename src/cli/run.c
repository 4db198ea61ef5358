/* mecha run, check, explain. */
#include "cli/cli.h"
#include "cli/progress.h"

#include <string.h>

/* A parameter that is missing or wrong: what is wrong with it, then the recipe's page. */
static int misused(Engine *engine, const Arguments *arguments) {
    Builder page = {0};
    report(engine, arguments);
    mecha_page(engine, &page);
    fprintf(stderr, "\n%s", page.data);
    builder_free(&page);
    return STATUS_USAGE;
}

static int prepare(Engine *engine, const Arguments *arguments) {
    int status = load_recipe(engine, arguments);
    if (status != STATUS_DONE || mecha_prepare(engine))
        return status;
    return mecha_misused(engine) && !arguments->json ? misused(engine, arguments) : STATUS_FAULT;
}

int recipe_page(const Arguments *arguments) {
    Engine *engine = mecha_open(&arguments->engine);
    Builder page = {0};
    bool loaded = mecha_load_file(engine, arguments->operands.items[0]);
    if (loaded)
        mecha_page(engine, &page);
    print_result(&page);
    return close_engine(engine, arguments, loaded ? STATUS_DONE : STATUS_FAULT);
}

int command_check(Arguments *arguments) {
    Engine *engine = mecha_open(&arguments->engine);
    return close_engine(engine, arguments, prepare(engine, arguments));
}

int command_explain(Arguments *arguments) {
    Engine *engine = mecha_open(&arguments->engine);
    int status = prepare(engine, arguments);
    Builder plan = {0};
    if (status == STATUS_DONE)
        (arguments->json ? mecha_explain_json : mecha_explain)(engine, &plan);
    if (status == STATUS_DONE && arguments->verbose && !arguments->json)
        mecha_explain_code(engine, &plan);
    print_result(&plan);
    return close_engine(engine, arguments, status);
}

static bool wants_progress(const Arguments *arguments) {
    const char *when = arguments->progress ? arguments->progress : "auto";
    if (strcmp(when, "auto") == 0)
        return !arguments->quiet && stream_is_terminal(stderr);
    return strcmp(when, "always") == 0;
}

/* `wrote blend.safetensors: 1143 keys, 2.13 GB in 1.52 s (1.40 GB/s)` */
void summarise_run(const Engine *engine) {
    MechaSummary summary = mecha_summary(engine);
    Builder line = {0};
    builder_add(&line, TEXT("wrote "));
    for (uint32_t i = 0; i < summary.n_outputs; i++) {
        builder_add(&line, i ? TEXT(", ") : TEXT(""));
        builder_printable(&line, mecha_output_path(engine, i));
    }
    builder_format(&line, ": %llu key%s, ", (unsigned long long)summary.keys,
                   summary.keys == 1 ? "" : "s");
    builder_decimal(&line, (double)summary.bytes_written);
    builder_format(&line, " in %.2f s (", summary.seconds);
    builder_decimal(&line,
                    summary.seconds > 0 ? (double)summary.bytes_written / summary.seconds : 0);
    builder_add(&line, TEXT("/s)"));
    if (summary.kept > 0)
        builder_format(&line, ", %llu of the keys by an earlier run",
                       (unsigned long long)summary.kept);
    builder_char(&line, '\n');
    fwrite(line.data, 1, line.size, stderr);
    builder_free(&line);
}

static void show_plan(Engine *engine) {
    Builder plan = {0};
    mecha_explain(engine, &plan);
    fwrite(plan.data, 1, plan.size, stderr);
    builder_free(&plan);
}

/* What preparing found comes first: the evaluation may take its time. */
static int evaluate(Engine *engine, const Arguments *arguments) {
    if (!json_messages(arguments))
        report(engine, arguments);
    if (arguments->verbose)
        show_plan(engine);
    return mecha_run(engine) ? STATUS_DONE : STATUS_FAULT;
}

int command_run(Arguments *arguments) {
    if (arguments->dry_run)
        return command_explain(arguments);
    if (arguments->engine.record_hashes && arguments->engine.no_metadata)
        return usage_error(arguments->command, "--record-hashes writes into the metadata, which "
                                               "'--metadata none' leaves out");
    ProgressLine line = {0};
    if (wants_progress(arguments)) {
        arguments->engine.progress = progress_report;
        arguments->engine.progress_context = &line;
    }
    Engine *engine = mecha_open(&arguments->engine);
    int status = prepare(engine, arguments);
    if (status == STATUS_DONE)
        status = evaluate(engine, arguments);
    progress_erase(&line);
    if (!json_messages(arguments))
        report(engine, arguments);
    if (status == STATUS_DONE && !arguments->quiet && !json_messages(arguments))
        summarise_run(engine);
    return close_engine(engine, arguments, status);
}
