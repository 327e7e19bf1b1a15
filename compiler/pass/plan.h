#ifndef RANKC_PLAN_H
#define RANKC_PLAN_H

/* The plan: how a graph runs. It says for every node where its value is kept and which statement
 * computes it, and puts the statements into phases and blocks; the emitter then only prints.
 *
 * One idea: most values belong to one sample, so a thread takes a tile of samples through all of them
 * while they are in its cache. Only where samples meet does a phase end:
 *
 *   scope   TOTAL   no B: parameters, what follows from them, and sums over the batch once complete
 *           SAMPLE  has B: computed tile by tile
 *           ACROSS  a batch axis other than B, but not B: a view of every sample's value
 *   phase   how many times samples must have met before the value can be computed
 *
 * A statement is one loop nest: it computes one node (its operands that are INLINE are computed inside
 * it) and stores it. Blocks are what runs one after another for a tile: a loop over the samples with
 * statements in it, or one contraction over all rows of the tile, or a sweep: what concerns pairs of
 * samples, for the tile's samples and one block of columns (other samples) after another. */

#include "../ir/ir.h"

typedef enum FuseLevel {
  FUSE_OFF,   /* op by op: every node kept for the whole batch, lists padded, OpenBLAS */
  FUSE_LOOPS, /* pointwise and reduction nests fused, own kernels, compact lists */
  FUSE_TILES, /* tile by tile through every statement */
  FUSE_ALL    /* and epilogues in the kernels */
} FuseLevel;

typedef enum Scope { SCOPE_TOTAL, SCOPE_SAMPLE, SCOPE_ACROSS } Scope;

typedef enum Place {
  PLACE_INLINE, /* nowhere: computed where it is used, or a leaf or a view that is read in place */
  PLACE_FUSED,  /* inside a contraction: its product, or part of its epilogue */
  PLACE_LOCAL,  /* within one sample's turn of a block: a C variable or a small array */
  PLACE_TILE,   /* rows of a tile, in the thread's slab */
  PLACE_BATCH,  /* all samples: needed by a later phase or by other samples */
  PLACE_SLOT,   /* a sum over the batch while it is being summed; afterwards a total */
  PLACE_TOTAL   /* no B: computed once per phase */
} Place;

/* Where an element is: base + row * width + sum of index * stride over the other axes. Row axes are B
 * and, with it, the first ragged axis (rows of a tile lie back to back). */
typedef struct Layout {
  int ragged;            /* the ragged row axis, or -1 */
  long stride[MAX_AXES]; /* by position in the type; 0 for row axes */
  long width;            /* of a row, padding included */
  int
    across; /* other batch axes, outermost: a row holds a value for every sample (or pair, ...) of the
               * batch, width * n^across numbers; the strides of all but the innermost are times n */
} Layout;

typedef struct Value {
  Scope scope;
  int phase;
  int uses;
  double evals; /* how often it is evaluated per sample if it is inline */
  Place place;
  Layout layout;
  int sweep;   /* of a value of pairs, or a reduction of them: in which its operands are read */
  bool shared; /* PLACE_BATCH because a later phase or another sample reads it */
  bool keeps;  /* pairs: in a batch of at most Plan.kept samples later sweeps read it too */
  const Node *same; /* the value of an earlier sweep whose memory this is; or NULL */
  bool in_kernels;  /* one reads it in vectors, what stands behind its rows included */
  int stmt;         /* that computes it, or -1 */
  Str name;         /* in C */
} Value;

/* A contraction as a matrix product: C[m][n] = sum over k of A[m][k] B[k][n]. */
typedef struct Contract {
  const Node *a, *b;
  int n;      /* the axis along which vectors run */
  int nn;     /* how many of the result's last axes, n the last, it runs through as one; more
                        * than 1: packed */
  int nm, nk; /* the other axes of the result (row axes left out when flat), the summed ones */
  short m[MAX_AXES], k[MAX_AXES];
  bool rows_m, rows_k; /* flat: all rows of the tile are m, or k */
  bool cols_n, cols_k; /* in a sweep: rows are m, and a block of columns is n, or k */
  int pack;            /* index in Plan.packs that holds b, or -1: b is read in place */
  int turned;          /* cols_n: index in Plan.turned */
} Contract;

/* A parameter (or total) copied so that the vector axis is innermost: [k...][n padded with 0]. */
typedef struct Pack {
  const Node *node;
  int nk, naxes;
  short axis[MAX_AXES]; /* outermost first: nk that are summed, and those along which vectors run */
  long stride[MAX_AXES];
  long size;
  bool half; /* its columns may end in half a vector: RANK_HALF_AT */
  Str name;
} Pack;

/* Samples' values copied so that samples are innermost, in blocks of columns: [n / columns][k...][columns].
 * `node` is the view of them, by a batch axis other than B. */
typedef struct Turned {
  const Node *node;
  int axis, nk;
  short k[MAX_AXES];
  long size; /* numbers of a sample */
  int phase; /* at whose end they are copied */
  Str name;
} Turned;

typedef enum StmtKind {
  STMT_ELEMENT,   /* out[axes] = expression */
  STMT_REDUCE,    /* out[axes] = sum or max of expression over more axes */
  STMT_STRUCTURE, /* concat, pad, triangle, untriangle: pieces written into place */
  STMT_CONTRACT,
  STMT_OUTPUT, /* store into the caller's array */
  STMT_SCATTER /* ids and gradient rows into the table's occurrence list */
} StmtKind;

enum { MOST_SUMS = 4 };

typedef struct Stmt {
  StmtKind kind;
  const Node *node;  /* what is computed */
  const Node *store; /* what is stored: node, or the last of its epilogue */
  const Node
    *then; /* contraction: also computed from what was stored, in the same kernel; or NULL */
  /* contraction: sums of what follows from its result, added to in the same kernel; when nothing else reads
   * the result, it is stored nowhere */
  const Node *sums[MOST_SUMS];
  int nsums;
  int index; /* output; scatter: operand pair */
  bool late; /* scatter: rows are made where they are summed, nothing is kept but the ids */
  Scope scope;
  int phase;
  bool flat;  /* over all rows of the tile at once, not within one sample's turn */
  bool pairs; /* of pairs of samples: in a sweep */
  Contract contract;
  int block;
} Stmt;

typedef struct Block {
  int phase;
  bool flat, pairs;
  VEC(int) stmts;
} Block;

typedef struct Plan {
  const Graph *g;
  bool padded;     /* lists are padded to their longest, as op-by-op frameworks have them */
  bool fuses;      /* pointwise values are computed where they are used */
  bool tiles;      /* values live in a tile's slab, not in whole-batch arrays */
  bool epilogues;  /* contractions end with what follows them */
  int phases;      /* tile passes over the batch: at least 1 */
  int tile;        /* samples */
  int columns;     /* of a block of pairs; 0: pairs are kept in whole rows, or there are none */
  int kept;        /* in a batch of so many samples a sweep's products serve later ones */
  Value *value;    /* by node id */
  VEC(Stmt) stmts; /* in an order that respects what they need */
  VEC(Block) blocks;
  VEC(Pack) packs;
  VEC(Turned) turned;
  const Node *loss; /* sum over B of the per-sample loss, or the loss itself when it has no B */
} Plan;

/* Plans `g` (pruned for what is asked). fuse false: every node is kept for the whole batch and computed
 * by a statement of its own. tile 0: chosen. g may gain a node (the loss summed). */
Plan *plan_graph(Arena *a, Graph *g, FuseLevel level, int tile);

Layout plan_layout(const Graph *g, Type t, bool padded);
/* Numbers between the rows of a value, up to the next whole vector. */
long layout_padding(const Graph *g, Type t, const Layout *l);
long axis_extent(const Graph *g, int axis); /* ragged: the maximum; batch: 0 */
/* The axes a statement loops over, in order: of its result, then the reduced ones. */
int stmt_axes(const Plan *p, const Stmt *s, short *axes);
bool plan_stored(const Plan *p, const Node *n); /* has memory of its own (or is a param or input) */
bool op_is_view(Op op);                         /* rename, slice: read in place by other indices */
/* Numbers of a sample's value, in a sweep those of a block of columns. */
long plan_width(const Plan *p, const Value *v);
/* Fills c when `sum` (a SUM of a product) is a matrix product worth a kernel. */
bool plan_contract(const Plan *p, const Node *sum, Contract *c);
void plan_schedule(Arena *a, Plan *p);
bool plan_is_late(const Plan *p, const Node *scatter);
void plan_late_rows(Plan *p); /* Stmt.late, and what these need of a sample is kept for the batch */
/* The nodes with memory that an expression reads, through what is inline; calls visit for each. */
void plan_reads(const Plan *p, const Node *n, void (*visit)(void *, const Node *), void *arg);
/* base + strides of a stored node seen through views: stride of `axis`, 0 when it has none. */
bool plan_affine(const Plan *p, const Node *n, int axis, long *stride);
const Node *plan_source(const Node *n); /* behind views */
/* Of a contraction's sums: over all of its rows, rather than over samples for each element. */
bool sum_of_rows(const Stmt *s, const Node *sum);

#endif
