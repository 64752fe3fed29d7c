/*
 * JSON objects as programs write them: names and strings of printable ASCII without escapes, whole numbers, objects of
 * strings, white space anywhere. Everything else, valid or not, is refused, and is for a parser of all of JSON: so
 * what is read here means the same there. Strings may be secret: only where they end is looked at.
 */
#ifndef KF_JSON_H
#define KF_JSON_H

#include "kf.h"

/* What has been read so far, and what has not. */
typedef struct {
    const uint8_t *at, *end;
} kf_json;

/* A part of the document; of strings what is between the quotes. */
typedef struct kf_text kf_json_text;

enum kf_json_next { KF_JSON_REFUSED, KF_JSON_MEMBER, KF_JSON_END };

/* Each of these returns 0, and leaves the rest undefined, when something else stands there. */
int kf_json_open(kf_json *json);
int kf_json_string(kf_json *json, kf_json_text *value);
int kf_json_number(kf_json *json, kf_json_text *value);
int kf_json_done(kf_json *json); /* nothing but white space is left */

/* The next member of an object: its name, and then its value is next. first: no comma comes before it. */
enum kf_json_next kf_json_member(kf_json *json, kf_json_text *name, int first);

#endif
