#ifndef RANKC_FIELDS_H
#define RANKC_FIELDS_H

/* Constant data in C: initializers of structs and arrays, laid out as clang-format does: on one line, or
 * one field a line when they do not fit. */

#include "../ir/ir.h"

typedef struct Text {
  Arena *arena;
  Buf out;
  const Graph *g;
} Text;

typedef struct Fields {
  Arena *arena;
  VEC(Str) list;
} Fields;

void puts_line(Text *t, const char *text);
Str quoted(Text *t, Str s);
void field(Fields *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void flag(Fields *f, const char *name, long value); /* only there when it is not 0 */
/* `column`: where the text will start; `tail`: what will stand behind it. */
Str fields_text(const Fields *f, int indent, int column, int tail);
void element(Text *t, const Fields *f); /* of an array of structs */
void array(Text *t, const char *type, Str name, int n, const Str *element);
void text_member(
  Text *t, const char *name, Str value); /* .name = "...", over several lines if need be */
Str shape_text(Text *t, int n, const long *shape);

void describe_inputs(Text *t); /* inputs.c: ragged axes, inputs and how they are encoded */

#endif
