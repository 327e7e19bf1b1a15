#ifndef RANKC_FILES_H
#define RANKC_FILES_H

/* Files, as the command line needs them: whole texts in, whole texts out.
 *
 * One idea: a reader never sees half a file. Writing goes to a temporary file in the same folder, is
 * forced to the disk, and is renamed over the old one; a file whose text is already right is left
 * alone, so that its time stamp tells when it last changed. All of these say what went wrong on stderr
 * and return false. */

#include "../base/str.h"

#include <stdint.h>

bool file_read(Arena *a, Str path, Str *text);
/* Of a plain file that lies in `folder` ("": the current one) or below it, symbolic links resolved. */
bool file_read_inside(Arena *a, Str folder, Str name, Str *text);
bool file_write(Str folder, Str name, Str text, bool *changed); /* changed may be NULL */
bool file_exists(Str path);
bool folder_make(Str path);                             /* with the folders above it */
bool folder_remove(Str path);                           /* with the plain files in it */
bool folder_temporary(Arena *a, Str inside, Str *path); /* a new, empty one */
Str path_join(Arena *a, Str folder, Str name);
/* The same path, such that no compiler takes it for an option (-x) or for a file of arguments (@x). */
Str path_plain(Arena *a, Str path);
/* Names that may become part of a file's name: letters, digits and _, not starting with a digit. */
bool name_is_plain(Str name);
/* Changes when the file does: length and time, for stamps; "" when there is none. */
Str file_stamp(Arena *a, Str path);
uint64_t folder_hash(
  Arena *a, Str path); /* of the names and stamps of what is in it, in any order */
uint64_t text_hash(Str text);

#endif
