#include "whole/assignment.h"

#include <math.h>
#include <string.h>

enum { FREE = UINT32_MAX };

/* Rows are assigned one after the other; each time along the path that costs least by the prices of
 * rows and columns, under which every assigned pair costs nothing and no other less. */
typedef struct Search {
    Matrix scores;
    size_t n;
    double *row_price, *column_price;
    double *distance;         /* to each column from the row that is being assigned */
    uint32_t *row_before;     /* from which row the column is reached */
    uint32_t *columns, *rows; /* of each row, of each column; FREE */
    bool *reached;            /* columns whose distance is final */
} Search;

size_t assignment_bytes(size_t n) {
    return 3 * workspace_bytes(n, sizeof(double)) + 2 * workspace_bytes(n, sizeof(uint32_t)) +
           workspace_bytes(n, sizeof(bool));
}

static Search search_new(uint32_t *columns, Matrix scores, Workspace *workspace) {
    size_t n = scores.rows;
    Search search = {.scores = scores,
                     .n = n,
                     .row_price = workspace_array(workspace, double, n),
                     .column_price = workspace_array(workspace, double, n),
                     .distance = workspace_array(workspace, double, n),
                     .row_before = workspace_array(workspace, uint32_t, n),
                     .columns = columns,
                     .rows = workspace_array(workspace, uint32_t, n),
                     .reached = workspace_array(workspace, bool, n)};
    for (size_t i = 0; i < n; i++) {
        search.row_price[i] = search.column_price[i] = 0;
        search.columns[i] = search.rows[i] = FREE;
    }
    return search;
}

/* Shortens distances by going on from ROW, which is LENGTH away; the nearest column that is not
 * final yet, a free one before others. */
static size_t relax(Search *search, size_t row, double length) {
    const double *scores = search->scores.data + row * search->scores.stride;
    size_t nearest = search->n;
    for (size_t j = 0; j < search->n; j++) {
        if (search->reached[j])
            continue;
        double through = length - scores[j] - search->row_price[row] - search->column_price[j];
        if (through < search->distance[j]) {
            search->distance[j] = through;
            search->row_before[j] = (uint32_t)row;
        }
        bool nearer = nearest == search->n || search->distance[j] < search->distance[nearest] ||
                      (search->distance[j] == search->distance[nearest] &&
                       search->rows[j] == FREE && search->rows[nearest] != FREE);
        nearest = nearer ? j : nearest;
    }
    return nearest;
}

/* The free column that is nearest to ROW. */
static size_t find_path(Search *search, size_t row) {
    for (size_t j = 0; j < search->n; j++) {
        search->distance[j] = INFINITY;
        search->reached[j] = false;
    }
    double length = 0;
    for (;;) {
        size_t column = relax(search, row, length);
        length = search->distance[column];
        search->reached[column] = true;
        if (search->rows[column] == FREE)
            return column;
        row = search->rows[column];
    }
}

static void change_prices(Search *search, size_t start, size_t end) {
    double length = search->distance[end];
    search->row_price[start] += length;
    for (size_t j = 0; j < search->n; j++) {
        if (!search->reached[j] || j == end)
            continue;
        search->row_price[search->rows[j]] += length - search->distance[j];
        search->column_price[j] -= length - search->distance[j];
    }
}

static void assign_along(Search *search, size_t start, size_t column) {
    for (;;) {
        uint32_t row = search->row_before[column], next = search->columns[row];
        search->rows[column] = row;
        search->columns[row] = (uint32_t)column;
        if (row == start)
            return;
        column = next;
    }
}

Status assignment_solve(uint32_t *columns, Matrix scores, Workspace *workspace) {
    size_t mark = workspace->used;
    if (!matrix_finite(scores))
        return STATUS_NOT_FINITE;
    Search search = search_new(columns, scores, workspace);
    for (size_t row = 0; row < search.n; row++) {
        size_t end = find_path(&search, row);
        change_prices(&search, row, end);
        assign_along(&search, row, end);
    }
    workspace->used = mark;
    return STATUS_OK;
}
