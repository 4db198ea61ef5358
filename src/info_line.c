/* mecha_info_line: a model in a line, for tables of many. */
#include "info.h"

bool mecha_info_line(Engine *engine, const char *path, MechaInfoLine *line) {
    Model *model = model_open(text_from(path), engine->diags, SPAN_NONE);
    if (model == NULL)
        return false;
    InfoFit fit = info_fit(engine, model);
    bool there[DTYPE_COUNT] = {false};
    Builder dtypes = {0};
    for (uint32_t i = 0; i < model->n_tensors; i++)
        there[model->tensors[i].dtype] = true;
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        if (there[dtype])
            builder_format(&dtypes, "%s%.*s", dtypes.size > 0 ? "+" : "",
                           TEXT_ARG(dtype_info[dtype].name));
    *line = (MechaInfoLine){.path = text_printable(&engine->arena, model->path),
                            .config = fit.config != NULL ? fit.config->name : TEXT("-"),
                            .dtypes = text_copy(&engine->arena, builder_view(&dtypes)),
                            .keys = model->n_tensors,
                            .bytes = model->bytes};
    builder_free(&dtypes);
    model_close(model);
    return true;
}
