/*
 * What is read here must mean the same to the server's own reader, which gets everything that is refused here and says
 * what is wrong with it. So a frame that is refused costs time and nothing else.
 */
#include "kf_call.h"

/* ---- the context --------------------------------------------------------------------------------- */

static int read_context(kf_call *call, kf_msgpack *in) {
    uint64_t num, len = 0;
    const uint8_t *start = in->at;
    if (kf_msgpack_nil(in)) return 1;
    if (!kf_msgpack_map(in, &num) || num > KF_PAIRS_MAX) return 0;
    for (; num; num--) {
        struct kf_text name, value;
        if (!kf_msgpack_str(in, &name) || !kf_msgpack_str(in, &value)) return 0;
        if (!kf_utf8_valid(name.at, name.len) || !kf_utf8_valid(value.at, value.len)) return 0;
        if (!kf_pairs_insert(call->names, call->values, &call->num_pairs, &name, &value)) return 0;
        len += 8 + (uint64_t)name.len + value.len;
    }
    if (call->num_pairs) call->context = (struct kf_text){start, (size_t)(in->at - start)};
    return len <= KF_CALL_CONTEXT_MAX;
}

/* ---- payloads ------------------------------------------------------------------------------------ */

/* A record, or a nil in its place, which has no bytes. */
static int read_record(struct kf_text *record, kf_msgpack *in) {
    *record = (struct kf_text){0};
    return kf_msgpack_nil(in) || kf_msgpack_bin(in, record);
}

/* A list of records. The elements are looked at once here, so that their number and that of the bytes agree. */
static int read_list(kf_call_column *column, kf_msgpack *in, uint64_t num) {
    struct kf_text record;
    const uint8_t *start = in->at;
    if (num > KF_CALL_LIST_MAX) return 0;
    for (uint64_t i = 0; i < num; i++)
        if (!read_record(&record, in)) return 0;
    *column = (kf_call_column){.num = num, .data = {start, (size_t)(in->at - start)}};
    return 1;
}

/* The bytes of a packed column may be continued in chunks: whether they are as many as its lengths say is seen when
 * they are there (kf_call_view). */
static int read_packed(kf_call_column *column, kf_msgpack *in) {
    struct kf_text lengths;
    column->packed = 1;
    if (!kf_msgpack_uint(in, &column->num) || column->num > KF_CALL_ITEMS_MAX) return 0;
    if (!kf_msgpack_uint(in, &column->width)) {
        if (!kf_msgpack_bin(in, &lengths) || lengths.len != 4 * column->num) return 0;
        column->lengths = lengths.at;
    }
    return column->width <= UINT32_MAX - 1 && kf_msgpack_bin(in, &column->data);
}

static int read_column(kf_call_column *column, kf_msgpack *in) {
    uint64_t num;
    *column = (kf_call_column){0};
    if (!kf_msgpack_array(in, &num)) return 0;
    if (num == 3 && in->at < in->end && (*in->at < 0x80 || (*in->at >= 0xcc && *in->at <= 0xd3)))
        return read_packed(column, in);
    return read_list(column, in, num);
}

static int read_bin(kf_call *call, kf_msgpack *in) {
    return call->many ? read_column(&call->columns[0], in) : kf_msgpack_bin(in, &call->payload[0]);
}

static int read_pair(kf_call *call, kf_msgpack *in) {
    uint64_t num;
    if (!kf_msgpack_array(in, &num) || num != 2) return 0;
    if (!call->many) return kf_msgpack_bin(in, &call->payload[0]) && kf_msgpack_bin(in, &call->payload[1]);
    return read_column(&call->columns[0], in) && read_column(&call->columns[1], in);
}

static int read_size(kf_call *call, kf_msgpack *in) {
    uint64_t num;
    if (!call->many) return kf_msgpack_uint(in, &call->size);
    return kf_msgpack_array(in, &num) && num == 2 && kf_msgpack_uint(in, &call->count) &&
           kf_msgpack_uint(in, &call->size) && call->count <= KF_CALL_ITEMS_MAX;
}

/* ---- options ------------------------------------------------------------------------------------- */

typedef int reader(kf_call *call, kf_msgpack *in);

static int read_aad(kf_call *call, kf_msgpack *in) { return !call->many && kf_msgpack_bin(in, &call->aad); }
static int read_algorithm(kf_call *call, kf_msgpack *in) { return kf_msgpack_str(in, &call->algorithm); }
static int read_deadline(kf_call *call, kf_msgpack *in) {
    return kf_msgpack_uint(in, &call->deadline) && call->deadline > 0 && call->deadline <= UINT32_MAX;
}
static int read_digest(kf_call *call, kf_msgpack *in) { return kf_msgpack_bool(in, &call->digest); }
static int read_more(kf_call *call, kf_msgpack *in) { return kf_msgpack_uint(in, &call->more); }
static int read_deterministic(kf_call *call, kf_msgpack *in) { return kf_msgpack_bool(in, &call->deterministic); }
static int read_raw(kf_call *call, kf_msgpack *in) { return kf_msgpack_bool(in, &call->raw); }

enum { ENCRYPT = 1 << KF_OP_ENCRYPT, DECRYPT = 1 << KF_OP_DECRYPT, SIGN = 1 << KF_OP_SIGN, VERIFY = 1 << KF_OP_VERIFY,
       MAC = 1 << KF_OP_MAC, VERIFY_MAC = 1 << KF_OP_VERIFY_MAC, EVERY = ~0 };

/* The options that are known here, and the operations that have them. */
static const struct {
    const char *name;
    reader *read;
    int of;
} options[] = {
    {"deadline", read_deadline, EVERY},
    {"algorithm", read_algorithm, SIGN | VERIFY | MAC | VERIFY_MAC},
    {"digest", read_digest, SIGN | VERIFY},
    {"raw", read_raw, SIGN | VERIFY},
    {"deterministic", read_deterministic, SIGN},
    {"aad", read_aad, ENCRYPT | DECRYPT},
    {"more", read_more, ENCRYPT | DECRYPT | SIGN | MAC},
};
enum { NUM_OPTIONS = sizeof options / sizeof options[0] };

static size_t option_of(const struct kf_text *name) {
    size_t i = 0;
    while (i < NUM_OPTIONS &&
           (strlen(options[i].name) != name->len || memcmp(options[i].name, name->at, name->len) != 0))
        i++;
    return i;
}

static int read_options(kf_call *call, kf_msgpack *in) {
    uint64_t num;
    unsigned seen = 0;
    if (kf_msgpack_nil(in)) return 1;
    if (!kf_msgpack_map(in, &num) || num > NUM_OPTIONS) return 0;
    for (; num; num--) {
        struct kf_text name;
        if (!kf_msgpack_str(in, &name)) return 0;
        const size_t i = option_of(&name);
        if (i == NUM_OPTIONS || seen >> i & 1 || !(options[i].of >> call->op & 1) || !options[i].read(call, in)) return 0;
        seen |= 1U << i;
    }
    return 1;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

enum { NEEDS_KEY = 1, MAY_HAVE_KEY = 2, HAS_CONTEXT = 4 };

static const struct {
    reader *payload; /* NULL: not an operation that is answered here */
    int flags;
} operations[KF_OP_LAST_SINGLE + 1] = {
    [KF_OP_ENCRYPT] = {read_bin, NEEDS_KEY | HAS_CONTEXT},
    [KF_OP_DECRYPT] = {read_bin, MAY_HAVE_KEY | HAS_CONTEXT},
    [KF_OP_DATA_KEY] = {read_size, NEEDS_KEY | HAS_CONTEXT},
    [KF_OP_DATA_KEY_BLOB] = {read_size, NEEDS_KEY | HAS_CONTEXT},
    [KF_OP_SIGN] = {read_bin, NEEDS_KEY},
    [KF_OP_VERIFY] = {read_pair, NEEDS_KEY},
    [KF_OP_MAC] = {read_bin, NEEDS_KEY},
    [KF_OP_VERIFY_MAC] = {read_pair, NEEDS_KEY},
    [KF_OP_RANDOM] = {read_size, 0},
};

static int read_key(kf_call *call, kf_msgpack *in, int flags) {
    if (kf_msgpack_nil(in)) return !(flags & NEEDS_KEY);
    return flags & (NEEDS_KEY | MAY_HAVE_KEY) && kf_msgpack_str(in, &call->key) && call->key.len > 0;
}

/* [id, of an array of *num elements. */
static int read_start(kf_call *call, kf_msgpack *in, uint64_t *num) {
    return kf_msgpack_array(in, num) && *num >= 5 && *num <= 6 && kf_msgpack_uint(in, &call->id);
}

static int read_head(kf_call *call, kf_msgpack *in) {
    uint64_t op;
    memset(&call->op, 0, offsetof(kf_call, names) - offsetof(kf_call, op));
    call->num_pairs = 0;
    if (!kf_msgpack_uint(in, &op)) return 0;
    call->many = op > KF_OP_BATCH;
    if (call->many) op -= KF_OP_BATCH;
    if (op > KF_OP_LAST_SINGLE || !operations[op].payload) return 0;
    call->op = (int)op;
    const int flags = operations[op].flags;
    return read_key(call, in, flags) && read_context(call, in) && (!call->num_pairs || flags & HAS_CONTEXT);
}

static int read_rest(kf_call *call, kf_msgpack *in, uint64_t num) {
    memset(call->payload, 0, sizeof *call - offsetof(kf_call, payload));
    return operations[call->op].payload(call, in) && (num == 5 || read_options(call, in)) && in->at == in->end;
}

int kf_call_parse(kf_call *call, const uint8_t *frame, size_t frame_len) {
    kf_msgpack in = {frame, frame + frame_len};
    uint64_t num;
    return read_start(call, &in, &num) && read_head(call, &in) && read_rest(call, &in, num);
}

static void move(struct kf_text *text, const uint8_t *from, const uint8_t *to) {
    if (text->at) text->at = to + (text->at - from);
}

/* Keeps the bytes that a head was read from, and lets it point to them. */
static void keep_head(kf_call *call, kf_call_head *head, const uint8_t *from, size_t len) {
    if (len > sizeof head->bytes) return;
    memcpy(head->bytes, from, len);
    move(&call->key, from, head->bytes);
    move(&call->context, from, head->bytes);
    for (size_t i = 0; i < call->num_pairs; i++) {
        move(&call->names[i], from, head->bytes);
        move(&call->values[i], from, head->bytes);
    }
    head->len = len;
}

int kf_call_parse_next(kf_call *call, kf_call_head *head, const uint8_t *frame, size_t frame_len) {
    kf_msgpack in = {frame, frame + frame_len};
    uint64_t num;
    if (!read_start(call, &in, &num)) return 0;
    const uint8_t *const start = in.at;
    if (head->len && head->len <= kf_msgpack_left(&in) && memcmp(start, head->bytes, head->len) == 0) {
        in.at += head->len;
        return read_rest(call, &in, num);
    }
    head->len = 0;
    head->serial++;
    if (!read_head(call, &in)) return 0;
    keep_head(call, head, start, (size_t)(in.at - start));
    return read_rest(call, &in, num);
}

int kf_call_chunk(uint64_t *id, size_t *head_len, uint64_t *part_len, const uint8_t *frame, size_t len) {
    kf_msgpack in = {frame, frame + len};
    uint64_t num, zero;
    if (!kf_msgpack_array(&in, &num) || num != 3 || !kf_msgpack_uint(&in, id) || !kf_msgpack_uint(&in, &zero) || zero)
        return 0;
    if (in.at == in.end || *in.at < 0xc4 || *in.at > 0xc6) return 0;
    if (!kf_msgpack_number(&in, part_len, 1U << (*in.at - 0xc4))) return 0;
    *head_len = (size_t)(in.at - frame);
    return 1;
}

/* ---- columns ------------------------------------------------------------------------------------- */

static const uint32_t not_there = UINT32_MAX; /* the length of a record that is nil */

static uint32_t load32_le(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

size_t kf_call_view_room(const kf_call_column *column) {
    if (!column->packed) return (size_t)column->num * (sizeof(uint8_t *) + sizeof(int64_t));
    return column->lengths ? ((size_t)column->num + 1) * sizeof(int64_t) : 0;
}

static int view_list(struct kf_column *out, uint8_t *nil, void *room, const kf_call_column *column) {
    kf_msgpack in = {column->data.at, column->data.at + column->data.len};
    const uint8_t **ptrs = room;
    int64_t *lens = (int64_t *)(ptrs + column->num);
    struct kf_text record;
    for (uint64_t i = 0; i < column->num; i++) {
        if (!read_record(&record, &in)) return 0;
        ptrs[i] = record.at, lens[i] = (int64_t)record.len;
        if (nil) nil[i] = !record.at;
        else if (!record.at) return 0;
    }
    *out = (struct kf_column){.ptrs = ptrs, .lens = lens};
    return in.at == in.end;
}

static int view_lengths(int64_t *offsets, uint8_t *nil, const kf_call_column *column) {
    int64_t at = 0;
    for (uint64_t i = 0; i < column->num; i++) {
        const uint32_t len = load32_le(column->lengths + 4 * i);
        offsets[i] = at;
        if (nil) nil[i] = len == not_there;
        else if (len == not_there) return 0;
        if (len != not_there) at += len;
    }
    offsets[column->num] = at;
    return (uint64_t)at == column->data.len;
}

int kf_call_view(struct kf_column *out, uint8_t *nil, void *room, const kf_call_column *column) {
    if (!column->packed) return view_list(out, nil, room, column);
    *out = (struct kf_column){.data = column->data.at, .data_len = (int64_t)column->data.len};
    if (column->lengths) {
        out->offsets = room;
        return view_lengths(room, nil, column);
    }
    if (nil) memset(nil, 0, column->num);
    out->width = (int64_t)column->width;
    return column->num * column->width == column->data.len;
}

const uint8_t *kf_call_peek(const kf_call_column *column, uint64_t i, uint64_t *at, size_t len, uint64_t least) {
    const uint8_t *const data = column->data.at;
    const uint64_t there = column->data.len;
    if (!column->packed) {
        kf_msgpack in = {data + *at, data + there};
        struct kf_text record;
        if (!read_record(&record, &in)) return NULL;
        *at = (uint64_t)(in.at - data);
        return record.at && record.len >= least && record.len >= len ? record.at : NULL;
    }
    uint64_t has = column->lengths ? load32_le(column->lengths + 4 * i) : column->width;
    if (column->lengths && has == not_there) has = 0;
    const uint64_t begin = *at;
    *at += has;
    return has >= least && has >= len && begin <= there && len <= there - begin ? data + begin : NULL;
}
