/* The whole pipeline on one screen: see prepare_stages and mecha_run. */
#include "diff.h"
#include "engine.h"
#include "record.h"

#include "base/file.h"
#include "exec/dtypes.h"
#include "exec/evaluate.h"
#include "exec/resume.h"
#include "solve/convert.h"
#include "solve/spell.h"
#include "syntax/format.h"
#include "syntax/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

const char *mecha_version(void) {
    return "0.1.0";
}

Engine *mecha_open(const MechaOptions *options) {
    Engine *engine = memory_grow(NULL, sizeof *engine);
    *engine = (Engine){.options = options, .diags = diags_new()};
    engine->library = library_new(&engine->arena, engine->diags);
    engine->sources = sources_new(&engine->arena, engine->diags, engine->library,
                                  options->models_dirs, options->n_models_dirs);
    if (options->models != NULL) {
        models_refresh(options->models);
        sources_share(engine->sources, options->models);
    }
    return engine;
}

void mecha_close(Engine *engine) {
    if (engine->diff != NULL)
        diff_free(engine->diff);
    if (engine->schedule != NULL)
        schedule_free(engine->schedule);
    if (engine->solved != NULL)
        solve_close(engine->solved);
    if (engine->recipe != NULL) {
        build_free(engine->recipe->build);
        graph_free(engine->recipe->graph);
    }
    sources_free(engine->sources);
    library_free(engine->library);
    diags_free(engine->diags);
    arena_free(&engine->arena);
    free(engine);
}

Diags *mecha_diags(Engine *engine) {
    return engine->diags;
}

Configs *engine_configs(Engine *engine) {
    return sources_configs(engine->sources);
}

/* ---- reading ---- */

bool mecha_load(Engine *engine, Text name, Text text) {
    engine->source = diags_source(engine->diags, name, text);
    if (engine->folder.size == 0)
        engine->folder = TEXT(".");
    return true;
}

bool mecha_load_parts(Engine *engine, const SourcePart *parts, size_t n_parts, const char *folder) {
    engine->source = diags_source_of(engine->diags, parts, n_parts);
    engine->folder = text_copy(&engine->arena, text_from(folder));
    return true;
}

bool mecha_carried(Engine *engine, const char *path, Builder *out) {
    Model *model = model_open(text_from(path), engine->diags, SPAN_NONE);
    if (model == NULL)
        return false;
    Text recipe = model_metadata(model, TEXT("mecha_source"));
    if (recipe.data == NULL)
        recipe = model_metadata(model, TEXT("mecha_recipe"));
    bool found = recipe.data != NULL;
    builder_add(out, recipe);
    if (!found)
        diag_error(engine->diags, SPAN_NONE, "'%s' carries no recipe in its metadata", path);
    model_close(model);
    return found;
}

static bool load_carried(Engine *engine, const char *path) {
    Builder recipe = {0};
    bool found = mecha_carried(engine, path, &recipe);
    if (found)
        mecha_load(engine, text_format(&engine->arena, "<recipe of %s>", path),
                   builder_view(&recipe));
    builder_free(&recipe);
    return found;
}

bool mecha_load_file(Engine *engine, const char *path) {
    bool standard = strcmp(path, "-") == 0;
    Text text;
    int error;
    if (!standard)
        engine->folder = text_copy(&engine->arena, path_folder(text_from(path)));
    if (text_ends(text_from(path), TEXT(".safetensors")))
        return load_carried(engine, path);
    if (!file_read(&engine->arena, standard ? TEXT("/dev/stdin") : text_from(path), FILE_TEXT_LIMIT,
                   &text, &error)) {
        diag_error(engine->diags, SPAN_NONE, "cannot read the recipe '%s': %s", path,
                   strerror(error));
        if (error == EFBIG)
            diag_hint(engine->diags, "a text of %d bytes is the largest that is read",
                      FILE_TEXT_LIMIT);
        Text nearest = error == ENOENT ? nearest_file(&engine->arena, text_from(path)) : TEXT("");
        if (nearest.size > 0)
            diag_hint(engine->diags, "did you mean '%.*s'?",
                      TEXT_ARG(text_printable(&engine->arena, nearest)));
        return false;
    }
    return mecha_load(engine, standard ? TEXT("<stdin>") : text_from(path), text);
}

/* Told from the text alone, before anything is elaborated, and its mistakes are not yet of
 * interest: so it is parsed aside. */
const Text *mecha_parameters(Engine *engine, size_t *count) {
    const Source *recipe = diags_find(engine->diags, engine->source);
    Diags *aside = diags_new();
    uint32_t source = diags_source(aside, recipe->name, recipe->text);
    Text *names = NULL;
    *count = 0;
    if (source_dialect(recipe->text) == DIALECT_RECIPE) {
        Ast *file = parse_recipe(&engine->arena, aside, source);
        names = arena_array(&engine->arena, Text, file->n_items + 1);
        for (uint32_t i = 0; i < file->n_items; i++)
            if (file->items[i]->kind == AST_PARAM)
                names[(*count)++] = text_copy(&engine->arena, file->items[i]->text);
    }
    diags_free(aside);
    return names;
}

const Source *mecha_source(const Engine *engine) {
    return diags_find(engine->diags, engine->source);
}

bool mecha_misused(const Engine *engine) {
    return engine->misused;
}

/* ---- options ---- */

static bool option_space(Engine *engine, SpaceSet *spaces) {
    const char *name = engine->options->space != NULL ? engine->options->space : "weight";
    int space = library_find_space(engine->library, text_from(name));
    *spaces = strcmp(name, "any") == 0 ? SPACES_ALL : space < 0 ? 0 : SPACE_SET(space);
    if (*spaces == 0) {
        diag_error(engine->diags, SPAN_NONE, "unknown merge space '%s'", name);
        diag_hint(engine->diags, "--space takes weight, delta, param or any");
    }
    return *spaces != 0;
}

static bool option_dtype(Engine *engine, DType *dtype) {
    const char *name = engine->options->dtype;
    return dtypes_wanted(engine->diags, SPAN_NONE, name != NULL ? text_from(name) : TEXT(""),
                         dtype);
}

/* What a save says holds for the run, and comes before the command line; no two may differ. */
static bool saved_compute(Engine *engine, const RecipeOutput **said) {
    *said = NULL;
    for (uint32_t i = 0; i < engine->recipe->n_outputs; i++) {
        const RecipeOutput *output = &engine->recipe->outputs[i];
        if (output->compute.size == 0)
            continue;
        if (*said != NULL && !text_equal((*said)->compute, output->compute)) {
            diag_error(engine->diags, output->compute_span,
                       "the results of a recipe are computed together, in f32 or in f64");
            diag_note(engine->diags, (*said)->compute_span, "another save says this");
            return false;
        }
        *said = output;
    }
    return true;
}

static bool option_compute(Engine *engine, Compute *compute) {
    const char *given = engine->options->compute;
    const RecipeOutput *said;
    if (!saved_compute(engine, &said))
        return false;
    Text name = said != NULL ? said->compute : text_from(given != NULL ? given : "f32");
    *compute = text_equal(name, TEXT("f64")) ? COMPUTE_F64 : COMPUTE_F32;
    if (*compute == COMPUTE_F64 || text_equal(name, TEXT("f32")))
        return true;
    diag_error(engine->diags, said != NULL ? said->compute_span : SPAN_NONE,
               "%s takes f32 or f64, not '%.*s'", said != NULL ? "'compute'" : "--compute",
               TEXT_ARG(text_printable(&engine->arena, name)));
    return false;
}

static bool keeps_non_finite(const Engine *engine) {
    bool keeps = engine->options->keep_non_finite;
    for (uint32_t i = 0; i < engine->recipe->n_outputs; i++)
        keeps |= engine->recipe->outputs[i].keep_non_finite;
    return keeps;
}

static bool allows_unused(const Engine *engine) {
    bool allows = engine->options->allow_unused;
    for (uint32_t i = 0; i < engine->recipe->n_outputs; i++)
        allows |= engine->recipe->outputs[i].allow_unused;
    return allows;
}

unsigned engine_threads(const Engine *engine) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = engine->options->threads;
    return threads > 0 ? threads : processors > 0 ? (unsigned)processors : 1;
}

static uint64_t option_memory(const Engine *engine) {
    uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), size = (uint64_t)sysconf(_SC_PAGESIZE);
    return engine->options->memory > 0 ? engine->options->memory : pages * size / 2;
}

/* ---- outputs ---- */

/* Two saves to one file, no name at all, or -o where there are several. */
static bool name_outputs(Engine *engine) {
    Recipe *recipe = engine->recipe;
    const char *named = engine->options->output;
    if (named != NULL && recipe->n_outputs > 1) {
        diag_error(engine->diags, SPAN_NONE, "-o names one output, but the recipe saves %u",
                   recipe->n_outputs);
        return false;
    }
    if (named != NULL)
        recipe->outputs[0].path = text_from(named);
    for (uint32_t i = 0; i < recipe->n_outputs; i++)
        for (uint32_t k = 0; k < i; k++)
            if (recipe->outputs[i].path.size > 0 &&
                text_equal(recipe->outputs[i].path, recipe->outputs[k].path)) {
                diag_error(engine->diags, recipe->outputs[i].path_span,
                           "two results are saved to this path");
                diag_note(engine->diags, recipe->outputs[k].path_span, "the first one");
                return false;
            }
    return true;
}

static bool outputs_have_paths(Engine *engine) {
    for (uint32_t i = 0; i < engine->recipe->n_outputs; i++)
        if (engine->recipe->outputs[i].path.size == 0) {
            diag_error(engine->diags, engine->recipe->outputs[i].span,
                       "nothing says where to write the result");
            diag_hint(engine->diags, "name a file with -o FILE, or: save … to \"FILE\"");
            return false;
        }
    return true;
}

/* --fallback MODEL: what the recipe does not produce comes from there. */
static void add_fallback(Engine *engine) {
    Recipe *recipe = engine->recipe;
    if (engine->options->fallback == NULL)
        return;
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        RecipeOutput *output = &recipe->outputs[i];
        SpaceSet spaces; /* its own, as far as they are known: the recipe may have the model, too */
        build_settle(recipe->build, output->node, &spaces);
        NodeId model = build_model(recipe->build, text_from(engine->options->fallback), TEXT(""),
                                   space_single(spaces) ? spaces : 0, output->span);
        output->node =
            build_operator(recipe->build, AST_FALLBACK, output->node, model, output->span);
    }
}

/* ---- the pipeline ---- */

/* `--flag` and `--no-flag` by themselves are values of a bool. */
static Setting read_setting(const MechaSetting *given) {
    Text name = text_from(given->name);
    if (given->value != NULL)
        return (Setting){name, text_from(given->value)};
    bool negative = text_starts(name, TEXT("no-"));
    return negative ? (Setting){{name.data + 3, name.size - 3}, TEXT("false")}
                    : (Setting){name, TEXT("true")};
}

Recipe *engine_elaborate(Engine *engine) {
    const MechaOptions *options = engine->options;
    Setting *settings = arena_array(&engine->arena, Setting, options->n_settings + 1);
    for (size_t i = 0; i < options->n_settings; i++)
        settings[i] = read_setting(&options->settings[i]);
    Converter converter = {&engine->arena, engine->diags, engine->sources};
    ConfigQuestions configs = {convert_node, convert_config, convert_network, convert_is_known,
                               &converter};
    ElaborateOptions elaborate_options = {.configs = &configs,
                                          .settings = settings,
                                          .n_settings = options->n_settings,
                                          .folder = engine->folder,
                                          .misused = &engine->misused,
                                          .looks = engine->looks};
    return elaborate(&engine->arena, engine->diags, engine->library, engine->source,
                     &elaborate_options);
}

Solved *engine_solve(Engine *engine) {
    SolveOptions options = {.sources = engine->sources,
                            .strict = engine->options->strict,
                            .partial = engine->looks,
                            .allow_unused = allows_unused(engine)};
    if (!option_space(engine, &options.space))
        return NULL;
    return solve(&engine->arena, engine->diags, engine->recipe, &options);
}

Schedule *engine_schedule(Engine *engine) {
    ScheduleOptions options = {.memory = option_memory(engine),
                               .threads = engine_threads(engine),
                               .strict = engine->options->strict,
                               .identify = engine->options->resume};
    if (!option_dtype(engine, &options.dtype) || !option_compute(engine, &options.compute))
        return NULL;
    return schedule_new(&engine->arena, engine->diags, engine->solved, &options);
}

bool mecha_prepare(Engine *engine) {
    if ((engine->recipe = engine_elaborate(engine)) == NULL || !name_outputs(engine))
        return false;
    add_fallback(engine);
    if ((engine->solved = engine_solve(engine)) == NULL)
        return false;
    if ((engine->schedule = engine_schedule(engine)) == NULL)
        return false;
    engine->plan = schedule_plan(engine->schedule);
    return true;
}

/* ---- running ---- */

/* An option as the result was made with it; empty where it is what is meant without. */
static Text made_with(Text said, const char *option, Text meant) {
    Text given = option != NULL ? text_from(option) : TEXT("");
    Text held = said.size > 0 ? said : given;
    return text_equal(held, meant) ? TEXT("") : held;
}

/* What the recipe of an output says besides the result. */
static SpellOptions options_said(Engine *engine, uint32_t i) {
    const RecipeOutput *output = &engine->recipe->outputs[i];
    const MechaOptions *options = engine->options;
    const RecipeOutput *compute = NULL;
    saved_compute(engine, &compute);
    return (SpellOptions){
        .dtype = output->dtypes.count > 0 ? TEXT("")
                                          : made_with(output->dtype, options->dtype, TEXT("auto")),
        .space = made_with(output->space, options->space, TEXT("weight")),
        .compute =
            made_with(compute != NULL ? compute->compute : TEXT(""), options->compute, TEXT("f32")),
        .keep_non_finite = keeps_non_finite(engine),
        .allow_unused = engine->solved->has_unused,
    };
}

static bool says_nothing(const SpellOptions *said) {
    return said->dtype.size == 0 && said->space.size == 0 && said->compute.size == 0 &&
           !said->keep_non_finite && !said->allow_unused;
}

static void add_text(Engine *engine, Text key, const Builder *value, MetadataEntry *entries,
                     size_t *count) {
    entries[(*count)++] = (MetadataEntry){key, text_copy(&engine->arena, builder_view(value))};
}

/* The hashes of the inputs come first: they are filled in by number. */
static void add_metadata(Engine *engine, uint32_t output, MetadataEntry *entries, size_t *count) {
    const RecipeOutput *recipe_output = &engine->recipe->outputs[output];
    MetadataEntry record = record_entry(engine);
    if (record.value.data != NULL)
        entries[(*count)++] = record;
    if (!engine->options->no_metadata) {
        Builder list = {0}, source = {0};
        NodeId culprit;
        SpellOptions said = options_said(engine, output);
        bool listed = engine_write_list(engine, output, &list, &culprit);
        entries[(*count)++] = (MetadataEntry){TEXT("format"), TEXT("pt")};
        /* An instruction list by itself is whole as it is. */
        if (!listed || !engine->recipe->is_list || !says_nothing(&said)) {
            spell_recipe(engine->solved, recipe_output, &said, &source);
            add_text(engine, TEXT("mecha_source"), &source, entries, count);
        }
        if (listed)
            add_text(engine, TEXT("mecha_recipe"), &list, entries, count);
        builder_free(&source);
        builder_free(&list);
    }
    for (uint32_t i = 0; i < recipe_output->n_metadata; i++)
        entries[(*count)++] =
            (MetadataEntry){recipe_output->metadata[i].key, recipe_output->metadata[i].value};
}

/* Of what decides which values come out. */
static uint64_t run_identity(const Engine *engine) {
    const char *version = mecha_version();
    uint64_t identity = schedule_identity(engine->schedule);
    return XXH3_64bits_withSeed(version, strlen(version),
                                identity ^ engine->options->keep_non_finite);
}

static bool open_output(Engine *engine, uint32_t i) {
    const RecipeOutput *recipe_output = &engine->recipe->outputs[i];
    Output *output = &engine->plan->outputs[i];
    MetadataEntry *metadata =
        arena_array(&engine->arena, MetadataEntry, recipe_output->n_metadata + 5);
    uint64_t shard_size = recipe_output->shard_size;
    Names apart = {.arena = &engine->arena};
    OutputFilesOptions options = {.file = {.force = engine->options->force,
                                           .no_sync = engine->options->no_sync,
                                           .resume = engine->options->resume,
                                           .identity = run_identity(engine),
                                           .metadata = metadata,
                                           .inputs = engine->solved->inputs,
                                           .n_inputs = engine->solved->n_inputs},
                                  .shard_size =
                                      shard_size > 0 ? shard_size : engine->options->shard_size,
                                  .tie = engine->solved->ties[i]};
    add_metadata(engine, i, metadata, &options.file.n_metadata);
    options.sources = solved_sources(&engine->arena, engine->solved, i, &options.n_sources);
    solved_apart(engine->solved, i, &apart);
    options.apart = apart.texts;
    options.n_apart = apart.count;
    output->files = output_open(recipe_output->path, output->tensors, output->n_tensors, &options,
                                engine->diags, recipe_output->path_span);
    names_free(&apart);
    return output->files != NULL;
}

static bool open_outputs(Engine *engine) {
    for (uint32_t i = 0; i < engine->plan->n_outputs; i++)
        if (!open_output(engine, i))
            return false;
    return true;
}

static void abandon_outputs(Engine *engine) {
    for (uint32_t i = 0; i < engine->plan->n_outputs; i++)
        output_abandon(engine->plan->outputs[i].files);
}

static bool finish_outputs(Engine *engine) {
    bool ok = true;
    for (uint32_t i = 0; i < engine->plan->n_outputs; i++) {
        Output *output = &engine->plan->outputs[i];
        if (ok)
            record_fill(engine, i, 0);
        if (ok)
            ok = output_finish(output->files, engine->diags, engine->recipe->outputs[i].path_span);
        else
            output_abandon(output->files);
        output->files = NULL;
    }
    return ok;
}

static double seconds_since(const struct timespec *start) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) * 1e-9;
}

static uint64_t at_most(uint64_t value, uint64_t most) {
    return value < most ? value : most;
}

/* What is evaluated once more stays what is done. */
static void show_progress(void *context, uint64_t tasks_done, uint64_t bytes_written) {
    Engine *engine = context;
    uint64_t keys = engine->plan->n_tasks;
    tasks_done += engine->summary.kept;
    MechaProgress progress = {.keys_done = engine->once ? keys : at_most(tasks_done, keys),
                              .keys = keys,
                              .bytes_done = engine->once ? engine->bytes
                                                         : at_most(bytes_written, engine->bytes),
                              .bytes = engine->bytes,
                              .seconds = seconds_since(&engine->start)};
    engine->options->progress(engine->options->progress_context, &progress);
}

static bool report_result(Engine *engine, const EvaluateResult *result) {
    switch (result->status) {
    case EVALUATE_DONE:
        return true;
    case EVALUATE_FAILED:
        diag_error(engine->diags, SPAN_NONE, "the key '%.*s' cannot be computed: %.*s",
                   TEXT_ARG(text_printable(&engine->arena, result->failed_key)),
                   TEXT_ARG(result->failure));
        return false;
    case EVALUATE_WRITE_FAILED:
        /* The writer that failed knows why. */
        for (uint32_t i = 0; i < engine->plan->n_outputs; i++)
            if (!output_check(engine->plan->outputs[i].files, engine->diags,
                              engine->recipe->outputs[i].path_span))
                break;
        return false;
    default:
        diag_error(engine->diags, SPAN_NONE, "interrupted: nothing was changed");
        return false;
    }
}

/* The plan without what an earlier run finished. */
static const Plan *plan_of_rest(Engine *engine) {
    if (!engine->options->resume)
        return engine->plan;
    const Plan *rest = resume_rest(&engine->arena, engine->plan);
    engine->summary.kept = engine->plan->n_tasks - rest->n_tasks;
    return rest;
}

/* Evaluates the plan, and again what met NaN or infinities, until no input does. */
bool engine_evaluate(Engine *engine) {
    EvaluateOptions options = {.kernels = kernels_best(),
                               .native_least = 1 << 16,
                               .threads = engine_threads(engine),
                               .memory = option_memory(engine),
                               .check_finite = !keeps_non_finite(engine),
                               .interrupted = engine->options->interrupted,
                               .progress = engine->options->progress != NULL ? show_progress : NULL,
                               .progress_context = engine,
                               .finished = engine->options->resume ? resume_note : NULL,
                               .finished_context = engine->plan,
                               .content = engine->content};
    memory_trim(); /* of what solving and optimising took */
    for (const Plan *plan = plan_of_rest(engine); plan != NULL;) {
        if (engine->content != NULL)
            input_content_begin(engine->content, plan);
        EvaluateResult result = evaluate(plan, &options);
        if (engine->content != NULL)
            input_content_end(engine->content);
        options.finished = NULL; /* what has to be done again is, after an interruption, too */
        engine->summary.bytes_read += result.bytes_read;
        engine->summary.bytes_written += result.bytes_written;
        engine->once = true;
        bool failed = !report_result(engine, &result);
        plan = result.n_hits > 0 && !failed
                   ? schedule_again(engine->schedule, plan, result.hits, result.n_hits, &failed)
                   : NULL;
        free(result.hits);
        if (failed)
            return false;
    }
    return true;
}

bool mecha_run(Engine *engine) {
    clock_gettime(CLOCK_MONOTONIC, &engine->start);
    ScheduleFigures figures = schedule_figures(engine->schedule);
    engine->bytes = figures.bytes_to_write;
    reader_guard_maps(writer_remove_temporaries);
    record_begin(engine);
    bool ok = outputs_have_paths(engine) && open_outputs(engine) && engine_evaluate(engine) &&
              record_finish(engine) && finish_outputs(engine);
    if (!ok)
        abandon_outputs(engine);
    engine->summary.n_outputs = engine->plan->n_outputs;
    engine->summary.dropped = schedule_dropped(engine->schedule);
    for (uint32_t i = 0; i < engine->plan->n_outputs; i++)
        engine->summary.keys += engine->plan->outputs[i].n_tensors;
    engine->summary.keys -= engine->summary.dropped;
    engine->summary.seconds = seconds_since(&engine->start);
    return ok;
}

/* ---- what was done, and what will be ---- */

MechaSummary mecha_summary(const Engine *engine) {
    return engine->summary;
}

Text mecha_output_path(const Engine *engine, uint32_t i) {
    return engine->recipe->outputs[i].path;
}

bool mecha_format(Engine *engine, Text name, Text text, Builder *out) {
    return format_recipe(engine->diags, diags_source(engine->diags, name, text), out);
}

/* ---- the library ---- */

/* Methods, and the functions that are meant for recipes; those beside methods are their inner
 * parts. */
static bool is_offered(const Definition *definition, Text file) {
    return (definition->kind == DEFINITION_METHOD && definition->method->rules == NULL) ||
           (definition->kind == DEFINITION_FUNCTION &&
            text_starts(file, TEXT("<stdlib>/functions/")));
}

const MechaMethod *mecha_methods(Engine *engine, size_t *count) {
    size_t n;
    const Definition *const *all = library_all(engine->library, &n);
    MechaMethod *methods = arena_array(&engine->arena, MechaMethod, n + 1);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        const Ast *syntax = all[i]->syntax;
        const Source *source = diags_find(engine->diags, syntax->span.source);
        if (!is_offered(all[i], source->name))
            continue;
        Builder signature = {0};
        syntax_signature(all[i]->syntax, &signature);
        methods[(*count)++] =
            (MechaMethod){.name = all[i]->name,
                          .signature = text_copy(&engine->arena, builder_view(&signature)),
                          .doc = syntax->doc,
                          .file = source->name,
                          .source = {source->text.data + syntax->span.begin,
                                     syntax->span.end - syntax->span.begin}};
        builder_free(&signature);
    }
    return methods;
}

const MechaMethod *mecha_method(Engine *engine, Text name) {
    size_t count;
    const MechaMethod *methods = mecha_methods(engine, &count);
    Text *names = arena_array(&engine->arena, Text, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (text_equal(methods[i].name, name))
            return &methods[i];
        names[i] = methods[i].name;
    }
    diag_error(engine->diags, SPAN_NONE, "unknown method '%.*s'", TEXT_ARG(name));
    Text nearest = nearest_name(name, names, count);
    if (nearest.size > 0)
        diag_hint(engine->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    return NULL;
}

static void print_function(void *context, const BuiltinEntry *entry) {
    Builder left = {0};
    builder_format(&left, "%.*s%.*s", TEXT_ARG(entry->name), TEXT_ARG(entry->parameters));
    builder_format(context, "  %-42s  %.*s\n", left.data, TEXT_ARG(entry->doc));
    builder_free(&left);
}

void mecha_functions(Builder *out) {
    lower_builtins(print_function, out);
}

bool mecha_remove_temporaries(void) {
    return writer_remove_temporaries();
}

bool mecha_changed_files(void) {
    return writer_changed_files();
}
