/*
 * The C interface of kmsfast: plain declarations, read by the compiler (through kf.h) and by cffi.
 * Rules: no preprocessor directives here. Arguments run context, out, in; each length follows its
 * pointer. Functions return KF_OK or a negative enum kf_status; nothing is left half-written on an
 * error unless the function says so. Lengths and offsets are bytes, in 64 bits.
 */

enum kf_status {
    KF_OK = 0,
    KF_ERR_SELFTEST = -1,  /* a known answer was not reproduced at load: nothing works */
    KF_ERR_FORKED = -2,    /* the key arena was wiped by fork: reopen the store in this process */
    KF_ERR_STALE = -3,     /* the handle's key was evicted or released: load it again */
    KF_ERR_FULL = -4,      /* every slot of the arena is in use by a running call */
    KF_ERR_KIND = -5,      /* the handle names a key of another kind */
    KF_ERR_ARGUMENT = -6,  /* an argument is out of range */
    KF_ERR_OFFSETS = -7,   /* offsets decrease or run past the buffer */
    KF_ERR_AUTH = -8,      /* authentication failed: wrong key, wrong context or changed bytes */
    KF_ERR_SYSTEM = -9,    /* a system call failed: see errno */
    KF_ERR_MEMORY = -10,   /* memory could not be allocated */
    KF_ERR_CAPACITY = -11, /* more distinct headers than the caller's array holds */
    KF_ERR_FINISHED = -12, /* the sealed batch has its final record already */
    KF_ERR_FORMAT = -13,   /* a file or header is not of the expected format */
    KF_ERR_TYPE = -14,     /* a Python object is not of the expected type */
    KF_ERR_FAULT = -15     /* a result failed its check before release: this machine computed wrongly */
};

/* What became of one record of a batch (one byte each). */
enum kf_record_status {
    KF_REC_OK = 0,
    KF_REC_SKIPPED = 1,    /* null, or of a group that this call does not serve */
    KF_REC_TRUNCATED = 2,  /* shorter than the smallest blob */
    KF_REC_MAGIC = 3,      /* does not start as a blob does */
    KF_REC_VERSION = 4,    /* a frame version that this release does not know */
    KF_REC_SUITE = 5,      /* a suite that this release does not know */
    KF_REC_FLAGS = 6,      /* a reserved flag is set */
    KF_REC_COMMITMENT = 7, /* the key commitment is not that of the key version it names */
    KF_REC_AUTH = 8,       /* the tag does not verify */
    KF_REC_FAULT = 9       /* the signature failed its check before release: it is zeros */
};

/* ---- library -------------------------------------------------------------------------------- */

/* Chooses the implementation and runs the self-test, once. Called by every other function too. */
int kf_init(void);
/* Name of the implementation in use: "vaes", "aesni", "armv8" or "portable". */
const char *kf_impl_name(void);
/* Name of the i-th implementation that this CPU can run, best first; NULL past the last. */
const char *kf_impl_available(int i);
/* Forces an implementation by name for the whole process (tests, diagnosis) and repeats the
 * self-test under it. KF_ERR_ARGUMENT if this CPU cannot run it. */
int kf_impl_force(const char *name);
/* CPU features found, as a space-separated list. */
const char *kf_cpu_features(void);

/* Bytes somewhere; at may be NULL when there are none. */
struct kf_text {
    const uint8_t *at;
    size_t len;
};

/* ---- records -------------------------------------------------------------------------------- */

/* One column of records, in exactly one of three forms:
 * - data, data_len and offsets[num + 1], or offsets32[num + 1] instead;
 * - data, data_len and width (offsets NULL): records of width bytes each, back to back;
 * - ptrs[num] and lens[num] (data NULL): separate records. */
struct kf_column {
    const uint8_t *data;
    int64_t data_len;
    const int64_t *offsets;
    int64_t width;
    const uint8_t *const *ptrs;
    const int64_t *lens;
    const int32_t *offsets32;
};

/* Checks offsets[num + 1] against data_len (KF_ERR_OFFSETS, with the index in *bad) and writes
 * out_offsets[num + 1], each record delta bytes longer (delta < 0: shorter, never below 0).
 * skip[num] (or NULL) marks records that get length 0. */
int kf_offsets_plan(int64_t *out_offsets, int64_t *bad, const int64_t *offsets, int64_t num,
                    int64_t data_len, int64_t delta, const uint8_t *skip);
/* KF_ERR_CAPACITY as well: the results are longer than 2 GiB. */
int kf_offsets_plan32(int32_t *out_offsets, int64_t *bad, const int32_t *offsets, int64_t num,
                      int64_t data_len, int64_t delta, const uint8_t *skip);

/* ---- key arena ------------------------------------------------------------------------------ */

struct kf_arena_info {
    uint64_t num_slots, used_slots, loads, evictions;
    uint64_t bytes;
    int32_t locked;        /* 1: mlock granted */
    int32_t lock_errno;    /* why not, else 0 */
    int32_t dontdump;      /* 1: MADV_DONTDUMP in force */
    int32_t wipeonfork;    /* 1: MADV_WIPEONFORK in force; 0: a fork handler wipes */
    int32_t forked;        /* 1: this process is a child of the one that opened the arena */
};

/* Opens the arena of this process, or after a fork a new one; max_bytes 0: sized to the memlock
 * limit. Handles of before a fork stay stale for ever. Without effect when already open here. */
int kf_arena_open(uint64_t max_bytes);
int kf_arena_describe(struct kf_arena_info *out);
/* KF_OK, KF_ERR_FORKED or KF_ERR_STALE. */
int kf_key_check(uint64_t handle);
/* Wipes the key; KF_OK also for a stale handle. */
int kf_key_release(uint64_t handle);

/* ---- root and store keys -------------------------------------------------------------------- */

/* Creates a root key file (mode 0600, O_EXCL, synced) from fresh randomness. */
int kf_root_file_create(const char *path);
int kf_root_file_load(uint64_t *root, const char *path);
/* 32 locked bytes that a key derivation function may write into; kf_root_from_secret turns them
 * into a root key and wipes them. */
int kf_secret_new(uint64_t *secret, uint8_t **bytes32);
int kf_root_from_secret(uint64_t *root, uint64_t secret);

/* wrapped: KF_WRAPPED_LEN (72) bytes: nonce 24, ciphertext 32, tag 16. */
int kf_store_create(uint64_t *store, uint8_t *wrapped72, uint64_t root, const uint8_t *store_id16);
int kf_store_load(uint64_t *store, uint64_t root, const uint8_t *wrapped72, const uint8_t *store_id16);
/* The same store key, wrapped by another root key. */
int kf_store_rewrap(uint8_t *new_wrapped72, uint64_t new_root, uint64_t old_root,
                    const uint8_t *wrapped72, const uint8_t *store_id16);
/* HMAC-SHA-256 under the store's MAC subkey; check compares in constant time (KF_ERR_AUTH). */
int kf_store_mac(uint64_t store, uint8_t *mac32, const uint8_t *msg, size_t msg_len);
int kf_store_mac_check(uint64_t store, const uint8_t *mac32, const uint8_t *msg, size_t msg_len);

/* ---- key versions --------------------------------------------------------------------------- */

/* Fresh key material, wrapped by the store key. Associated data: key id, version, flags,
 * algorithm 1 (AES-256). */
int kf_key_generate(uint8_t *wrapped72, uint64_t store, const uint8_t *key_id16, uint32_t version,
                    uint8_t flags);
int kf_key_load(uint64_t *key, uint64_t store, const uint8_t *wrapped72, const uint8_t *key_id16,
                uint32_t version, uint8_t flags);
/* Material that the caller brings: 32 bytes. */
int kf_key_import(uint8_t *wrapped72, uint64_t store, const uint8_t *key_id16, uint32_t version, uint8_t flags,
                  const uint8_t *material32);
/* What tells this material from all other material of its key, in 32 bytes: an HMAC-SHA-256 under the store's MAC
 * subkey, so that it says nothing else of the material to whoever has not the store's key. */
int kf_material_name(uint8_t *name32, uint64_t store, const uint8_t *key_id16, const uint8_t *material,
                     size_t material_len);
/* The 56 bytes that start every blob of this key version: header 24, commitment 32. */
int kf_key_prefix(uint64_t key, uint8_t *prefix56);

/* ---- private keys of the types that the Python layer serves ---------------------------------- */

/* der: 1 to 8192 bytes of a PrivateKeyInfo; wrapped: der_len + 40 bytes. Associated data: key id, version,
 * flags, algorithm 4, so nothing but what kf_private_wrap wrapped can be unwrapped. */
int kf_private_wrap(uint8_t *wrapped, uint64_t store, const uint8_t *key_id16, uint32_t version, uint8_t flags,
                    const uint8_t *der, size_t der_len);
/* der: wrapped_len - 40 bytes; the caller wipes them (kf_forget). KF_ERR_AUTH: not the material of this id; der
 * is zeroed then. */
int kf_private_unwrap(uint8_t *der, uint64_t store, const uint8_t *wrapped, size_t wrapped_len,
                      const uint8_t *key_id16, uint32_t version, uint8_t flags);

/* ---- MAC keys --------------------------------------------------------------------------------- */

/* HMAC under SHA-224, SHA-256, SHA-384 or SHA-512: bits is 224, 256, 384 or 512 (else KF_ERR_ARGUMENT). Key
 * material and MACs have bits / 8 bytes, wrapped material 40 more. Associated data: key id, version, flags,
 * algorithm 2. */
int kf_mac_generate(uint8_t *wrapped, uint64_t store, const uint8_t *key_id16, uint32_t version, uint8_t flags,
                    int bits);
/* Wraps material that the caller brings, bits / 8 bytes (else KF_ERR_ARGUMENT), and wipes it whatever happens. */
int kf_mac_import(uint8_t *wrapped, uint64_t store, const uint8_t *key_id16, uint32_t version, uint8_t flags,
                  int bits, uint8_t *material, size_t material_len);
int kf_mac_load(uint64_t *key, uint64_t store, const uint8_t *wrapped, size_t wrapped_len, const uint8_t *key_id16,
                uint32_t version, uint8_t flags, int bits);
/* The MACs of num records, mac_len bytes each (KF_ERR_ARGUMENT: not those of the key): back to back in out, or, out
 * being NULL, to a buffer per record in out_ptrs; not over the records. skip[num] (or NULL): 1 leaves the record
 * out. threads >= 1. */
int kf_mac_batch(uint64_t key, uint8_t *out, int64_t out_len, uint8_t *const *out_ptrs, size_t mac_len,
                 const struct kf_column *in, int64_t num, const uint8_t *skip, int threads);
/* status[num]: KF_REC_OK, KF_REC_AUTH (not the record's MAC, or not of its length) or KF_REC_SKIPPED. */
int kf_mac_verify_batch(uint64_t key, uint8_t *status, const struct kf_column *in, const struct kf_column *macs,
                        int64_t num, const uint8_t *skip, int threads);
/* One message, the short path. kf_mac_verify_one: KF_ERR_AUTH when mac is not the message's. */
int kf_mac_one(uint64_t key, uint8_t *out, size_t mac_len, const uint8_t *msg, size_t msg_len);
int kf_mac_verify_one(uint64_t key, const uint8_t *mac, size_t mac_len, const uint8_t *msg, size_t msg_len);

/* ---- blobs (docs/blob-format.md) ------------------------------------------------------------ */

/* Seals num records: out holds, for each, prefix 56, nonce 24, ciphertext, tag 16. out_offsets
 * [num + 1] as kf_offsets_plan writes them with delta KF_BLOB_OVERHEAD (96), int64_t, or int32_t when the
 * column has offsets32; NULL: record i starts at i * (width + 96); out_ptrs (or NULL) instead of out and out_offsets:
 * one buffer per record. context: canonical encryption context. aad: a column of the records' own associated data, or
 * NULL. skip[num] (or NULL): 1 leaves the record out. threads >= 1. */
int kf_blob_seal(uint64_t key, uint8_t *out, int64_t out_len, const void *out_offsets, uint8_t *const *out_ptrs,
                 const struct kf_column *in, int64_t num, const uint8_t *skip,
                 const uint8_t *context, size_t context_len, const struct kf_column *aad,
                 int threads);

/* Sorts num blobs by the 56 bytes they start with. prefixes: max_groups * 56 bytes, one row per
 * group found, in order of appearance; group[i]: the row of record i, or -1 when status[i] says
 * why it has none. */
int kf_blob_scan(uint8_t *prefixes, int32_t max_groups, int32_t *num_groups, int32_t *group,
                 uint8_t *status, const struct kf_column *in, int64_t num, const uint8_t *skip);

/* Opens the records whose group g has keys[g] != 0; the others are left alone (set status to
 * KF_REC_SKIPPED before). prefixes: what kf_blob_scan found; a group whose prefix is not that of
 * its key fails as KF_REC_COMMITMENT. group NULL: all records are expected to be of group 0;
 * those that start otherwise get KF_REC_SKIPPED and are counted in *num_other: scan these. out
 * as in kf_blob_seal, with delta -96. A record that fails is zeroed in out. *num_bad: how many of the
 * served records failed. */
int kf_blob_open(uint8_t *out, int64_t out_len, const void *out_offsets, uint8_t *const *out_ptrs,
                 uint8_t *status, int64_t *num_bad, int64_t *num_other, const uint64_t *keys,
                 const uint8_t *prefixes, int32_t num_groups, const int32_t *group,
                 const struct kf_column *in, int64_t num, const uint8_t *skip,
                 const uint8_t *context, size_t context_len, const struct kf_column *aad,
                 int threads);

/* One record. out: in_len + 96 and in_len - 96 bytes. *status: the enum kf_record_status, with KF_ERR_AUTH
 * returned when it is not KF_REC_OK. */
int kf_blob_seal_one(uint64_t key, uint8_t *out, const uint8_t *in, size_t in_len,
                     const uint8_t *context, size_t context_len, const uint8_t *aad, size_t aad_len);
int kf_blob_open_one(uint64_t key, uint8_t *out, uint8_t *status, const uint8_t *in, size_t in_len,
                     const uint8_t *context, size_t context_len, const uint8_t *aad, size_t aad_len);

/* A key version bound to an encryption context: what many single records under both have in common. Public,
 * and good as long as the key's handle is. uses: how often it has sealed or opened. */
struct kf_binding {
    uint64_t key;
    uint64_t uses;
    uint8_t digest[32];
};
int kf_bind(struct kf_binding *out, uint64_t key, const uint8_t *context, size_t context_len);
/* One record without associated data of its own, the short path. Opening returns the enum kf_record_status
 * (positive) of a blob that does not open. */
int kf_bound_seal(struct kf_binding *binding, uint8_t *out, const uint8_t *in, size_t in_len);
int kf_bound_open(struct kf_binding *binding, uint8_t *out, const uint8_t *in, size_t in_len);

/* A fresh data key of num_bytes (1 to 1024): its blob (num_bytes + 96), and its plaintext unless plain
 * is NULL. */
int kf_data_key(uint64_t key, uint8_t *plain, uint8_t *blob, size_t num_bytes,
                const uint8_t *context, size_t context_len);

/* ---- requests (docs/http.md) ------------------------------------------------------------------- */

/* Operations of AWS KMS whose usual requests are read here: JSON objects without escapes, with KeyId, the payload and
 * EncryptionContext alone, of at most 16,384 bytes. */
enum kf_request_kind { KF_REQUEST_ENCRYPT = 0, KF_REQUEST_DECRYPT = 1, KF_REQUEST_DATA_KEY = 2 };

/* Where the members of a usual request are, each number in 16 bits, the first lowest: at which byte the key's name
 * starts and how many it has (0: there is none), at which byte the payload's text starts, and its length. The
 * payload is Plaintext or CiphertextBlob, with the length of what the base64 stands for, or the value of KeySpec
 * (quotes included) or NumberOfBytes, with that of the text. 0: not a usual request. */
uint64_t kf_request_scan(int kind, const uint8_t *body, size_t body_len);

/* How usual requests are answered: with which key version, and the texts of the answer around its base64. between:
 * before the plaintext of a data key; none: it is not written. timer: of the operation, which counts requests that were
 * answered (kf_metrics_begin); less than KF_TIMER_DOORS: nobody does. */
struct kf_reply {
    struct kf_binding binding; /* to the empty context */
    struct kf_text before, between, after;
    int timer;
};

/* The answer to a request that kf_request_scan found usual. Return its length, or a negative enum kf_status, with
 * KF_ERR_TYPE for a request that is not usual after all, KF_ERR_AUTH for a blob that does not open, KF_ERR_ARGUMENT
 * when it would not fit into out_len. num_bytes: of the data key, 1 to 1024. */
int kf_reply_encrypt(const struct kf_reply *reply, uint8_t *out, size_t out_len, const uint8_t *body,
                     size_t body_len);
int kf_reply_decrypt(const struct kf_reply *reply, uint8_t *out, size_t out_len, const uint8_t *body,
                     size_t body_len);
int kf_reply_data_key(const struct kf_reply *reply, uint8_t *out, size_t out_len, const uint8_t *body,
                      size_t body_len, size_t num_bytes);
/* Fresh bytes, 1 to 1024, between reply's texts; the binding is not looked at. */
int kf_reply_random(const struct kf_reply *reply, uint8_t *out, size_t out_len, size_t num_bytes);

/* Writes the members of a usual request that are recorded (KeyId, KeySpec or NumberOfBytes, EncryptionContext), in this
 * order, as a msgpack map (docs/audit.md). Returns its length, at most body_len + 64; KF_ERR_TYPE for a request that is
 * not usual, KF_ERR_ARGUMENT when it would not fit into out_len. */
int kf_request_recorded(uint8_t *out, size_t out_len, int kind, const uint8_t *body, size_t body_len);

/* Whether a request carries the signature that the key makes of it (AWS Signature Version 4). scope: of the string to
 * sign the algorithm, the time and the credential scope, a newline behind each, at most 256 bytes; head: the canonical
 * request up to the hash of its body; signature64: in hexadecimal, lower case. KF_ERR_AUTH: it does not. */
int kf_sigv4_check(const uint8_t *key32, const uint8_t *scope, size_t scope_len, const uint8_t *head, size_t head_len,
                   const uint8_t *body, size_t body_len, const uint8_t *signature64);

/* ---- sealed batches (docs/sealed-format.md) ------------------------------------------------- */

/* A fresh data key, wrapped by key, and the header (KF_SEALED_HEADER_LEN, 136 bytes) of its
 * batch. record_size: size of every record but the last; 0 when they vary. */
int kf_sealed_create(uint64_t *batch, uint8_t *header136, uint64_t key, uint32_t record_size,
                     const uint8_t *context, size_t context_len);
int kf_sealed_load(uint64_t *batch, uint64_t key, const uint8_t *header136,
                   const uint8_t *context, size_t context_len);
/* The same with a data key of 32 bytes that another process has drawn for this batch alone and has given with its
 * blob (128 bytes, under the same context). A data key begins one batch: with a second its nonces would come twice. */
int kf_sealed_begin(uint64_t *batch, uint8_t *header136, const uint8_t *data_key32, const uint8_t *blob128,
                    uint32_t record_size, const uint8_t *context, size_t context_len);
int kf_sealed_resume(uint64_t *batch, const uint8_t *data_key32, const uint8_t *header136, const uint8_t *context,
                     size_t context_len);
/* Seals the next num records (ciphertext and tag each: delta 16). last != 0: the last of them is
 * the final record, after which the batch takes no more (KF_ERR_FINISHED). */
int kf_sealed_seal(uint64_t batch, uint8_t *out, int64_t out_len, const void *out_offsets,
                   uint8_t *const *out_ptrs, const struct kf_column *in, int64_t num, int last, int threads);
/* Opens num records, of index first and up; last != 0: the last of them must be the final one. */
int kf_sealed_open(uint64_t batch, uint8_t *out, int64_t out_len, const void *out_offsets, uint8_t *const *out_ptrs,
                   uint8_t *status, int64_t *num_bad, uint64_t first, const struct kf_column *in,
                   int64_t num, int last, int threads);

/* ---- ECDSA and ECDH on P-256 (docs/p256.md) ---------------------------------------------------- */

enum kf_p256_encoding {
    KF_P256_RAW = 0, /* r || s, 64 bytes (IEEE P1363) */
    KF_P256_DER = 1  /* SEQUENCE of two INTEGERs, at most 72 bytes */
};

/* As kf_impl_name, kf_impl_available and kf_impl_force: "ifma", "fma", "mulx" or "portable". KMSFAST_P256_IMPL in
 * the environment names another than the best. */
const char *kf_p256_impl_name(void);
const char *kf_p256_impl_available(int i);
int kf_p256_impl_force(const char *name);

/* public64: x || y, big-endian, written by all of these. wrapped72: the private scalar, wrapped by the store key for
 * algorithm 3 (P-256). Import: KF_ERR_ARGUMENT unless scalar32 (big-endian) is from 1 to n - 1. */
int kf_p256_generate(uint8_t *wrapped72, uint8_t *public64, uint64_t store, const uint8_t *key_id16, uint32_t version,
                     uint8_t flags);
int kf_p256_import(uint8_t *wrapped72, uint8_t *public64, uint64_t store, const uint8_t *scalar32,
                   const uint8_t *key_id16, uint32_t version, uint8_t flags);
int kf_p256_load(uint64_t *key, uint8_t *public64, uint64_t store, const uint8_t *wrapped72, const uint8_t *key_id16,
                 uint32_t version, uint8_t flags);

/* Signs num digests of 32 bytes each. out: 64 bytes for each, or 72 and its length in lens[i] for DER (lens may be NULL
 * for raw). deterministic != 0: RFC 6979, else hedged nonces. Every signature is checked before it is written;
 * one that fails is zeros, its status KF_REC_FAULT, and it is counted in *num_bad. On an error no signature is left:
 * out and the lens of DER are zeros, and *num_bad is 0; where num or encoding is wrong, only *num_bad is written. */
int kf_p256_sign_batch(uint64_t key, uint8_t *out, int64_t *lens, uint8_t *status, int64_t *num_bad,
                       const struct kf_column *digests, int64_t num, int encoding, int deterministic, int threads);
/* valid[i]: 1 or 0. Signatures of a wrong form or length are not valid. KF_ERR_FORMAT: public64 is not a point. */
int kf_p256_verify_batch(uint8_t *valid, const uint8_t *public64, const struct kf_column *digests,
                         const struct kf_column *signatures, int64_t num, int encoding, int threads);
/* A public key of 64 bytes for each; where it is no point, valid[i] is 0. */
int kf_p256_verify_many(uint8_t *valid, const uint8_t *public_keys, const struct kf_column *digests,
                        const struct kf_column *signatures, int64_t num, int encoding, int threads);
/* One of 32 bytes. out: room for 72 bytes. KF_ERR_FAULT: the check before release failed. */
int kf_p256_sign(uint64_t key, uint8_t *out, int64_t *out_len, const uint8_t *digest32, int encoding,
                 int deterministic);
/* KF_OK or KF_ERR_AUTH; KF_ERR_FORMAT as above. */
int kf_p256_verify(const uint8_t *public64, const uint8_t *digest32, const uint8_t *signature, int64_t signature_len,
                   int encoding);
/* The x coordinate of the shared point, 32 bytes. KF_ERR_FORMAT: public64 is not a point. */
int kf_p256_ecdh(uint64_t key, uint8_t *shared32, const uint8_t *public64);

/* ---- Python lists of bytes (CPython only; take the GIL themselves) --------------------------- */

/* Pointers and lengths of the bytes objects in a list (id(list)); None gives skip[i] = 1. Takes a reference to each
 * item, kept in owners[num] until kf_py_release, so that the list may change meanwhile; on an error none is left.
 * KF_ERR_TYPE: item *bad is something else; KF_ERR_OFFSETS: the list has only *bad items. */
int kf_py_view(uintptr_t *owners, const uint8_t **ptrs, int64_t *lens, uint8_t *skip, int64_t *bad, uintptr_t list,
               int64_t num);
void kf_py_release(const uintptr_t *owners, int64_t num);
/* Fills the list (id(list), num items of None) with new bytes objects of lens[i] + delta bytes and
 * returns their buffers for one writer; records with skip[i] stay None. */
int kf_py_alloc(uint8_t **ptrs, uintptr_t list, const int64_t *lens, const uint8_t *skip,
                int64_t num, int64_t delta);

/* Fills the list (id(list), num items) with new bytes objects: item i holds lens[i] bytes (lens NULL: all stride) from
 * data + i * stride. */
int kf_py_fill(uintptr_t list, const uint8_t *data, int64_t stride, const int64_t *lens, int64_t num);

/* ---- room for ciphertext ----------------------------------------------------------------------- */

/* Memory of at least len bytes for what sealing writes, of unknown contents; NULL: there is none. Given back, it is
 * kept for the next one who asks (kf_room.c). */
uint8_t *kf_room_take(size_t len);
void kf_room_give(uint8_t *room);

/* Wipes a buffer that held a plaintext which the caller has copied. */
void kf_forget(uint8_t *bytes, size_t len);

/* ---- hashes and comparison for the Python layer --------------------------------------------- */

int kf_sha256(uint8_t *out32, const uint8_t *msg, size_t msg_len);

/* ---- audit log ------------------------------------------------------------------------------ */

enum { KF_LOG_MAX_BODY = 1048576, KF_LOG_MAX_RECORDS = 64 };

/* Where the log ends: in a page that all processes have mapped, read and written under the log's lock. */
struct kf_log_end {
    uint64_t segment;  /* number of the file that takes records */
    uint64_t offset;   /* where the next one begins in it */
    uint64_t num;      /* records before that, in all files */
    uint64_t busy;     /* 1: a record is being written, or its writer died */
    uint8_t chain[32]; /* hash of the last record */
};

/* The lock of an open file, for all processes that open it; KF_ERR_SYSTEM. */
int kf_log_lock(int lock_fd);
int kf_log_unlock(int lock_fd);
/* Appends a record of kind 0 to 255 to the file fd, under the lock: u32 length of the rest, kind, body, SHA-256 of
 * (chain before, length, kind, body). KF_ERR_FORMAT: a writer died and left `busy`: repair before more is appended.
 * KF_ERR_SYSTEM: nothing was appended; see errno. */
int kf_log_append_locked(struct kf_log_end *end, int fd, int kind, const uint8_t *body, size_t body_len);
/* The same for 1 to KF_LOG_MAX_RECORDS records, whose bodies lie back to back, by one write, taking the lock: all of
 * them or none. *num: records before the next one. KF_ERR_STALE: fd is not the file of segment end->segment any more.
 * KF_ERR_CAPACITY: they would end behind max_offset. */
int kf_log_append(struct kf_log_end *end, uint64_t *num, int lock_fd, int fd, uint64_t segment, uint64_t max_offset,
                  int kind, const uint8_t *bodies, const uint32_t *lens, size_t num_bodies);

/* ---- the socket's reactor (docs/socket.md) ----------------------------------------------------- */

/* One loop that owns connections from when they are accepted: it reads frames, answers requests that tickets cover,
 * and hands all others to whoever calls kf_reactor_take, whose answers come back by kf_reactor_send. Where there is no
 * epoll(7), kf_reactor_open returns KF_ERR_SYSTEM with ENOSYS, and the rest is not to be called. All functions but
 * kf_reactor_run, kf_reactor_open and kf_reactor_close may be called by any thread at any time between these. */
struct kf_reactor;

struct kf_reactor_limits {
    uint64_t max_frame;        /* bytes of a frame */
    uint64_t max_hello;        /* of the first one */
    uint64_t max_message;      /* bytes of a payload with its chunks */
    uint64_t max_unsent;       /* bytes of answers beyond which a connection is not read */
    uint64_t max_pending;      /* bytes of requests being worked on, of one connection, beyond which it is not read */
    uint64_t max_held;         /* the same of one uid, with what of its events was not taken (kf_reactor_done) */
    uint32_t max_inflight;     /* requests being worked on, likewise */
    uint32_t max_connections;  /* of one uid */
    uint32_t max_open;         /* of all */
    uint32_t hello_ms;         /* within which a connection must say hello */
    uint32_t frame_ms;         /* within which a frame that has begun must be there */
    uint32_t write_ms;         /* within which a peer must take some of what it is sent */
    int32_t threads;           /* of one batch */
    struct kf_text refusal;    /* a frame for who has too many connections; may be empty */
    struct kf_text full;       /* the same where all have */
};

/* listen_fds: sockets that listen, which stay the caller's, and do not block any more. epoch: the word that says which
 * tickets hold (struct kf_ticket), readable until kf_reactor_close. */
int kf_reactor_open(struct kf_reactor **out, const int *listen_fds, size_t num_fds, const uint64_t *epoch,
                    const struct kf_reactor_limits *limits);
/* Runs until kf_reactor_stop was called and what was read is answered. KF_ERR_SYSTEM: see errno. */
int kf_reactor_run(struct kf_reactor *reactor);
/* Accepts and reads no more; after patience_ms what is unanswered is given up. */
void kf_reactor_stop(struct kf_reactor *reactor, uint32_t patience_ms);
/* When kf_reactor_run has returned, or was never called. Closes what is open. */
void kf_reactor_close(struct kf_reactor *reactor);

enum kf_event_kind {
    KF_EVENT_NONE = 0,
    KF_EVENT_CONNECTED = 1, /* frame: its gids, 4 bytes each, the primary one first */
    KF_EVENT_FRAME = 2,
    KF_EVENT_CLOSED = 3,    /* nothing else comes from it, and nothing reaches it */
    KF_EVENT_TOO_LONG = 4,  /* a frame was announced that is longer than the limit; it is not read any more */
    KF_EVENT_HALF_CLOSED = 6, /* no more comes from it: what is unanswered for want of chunks is to be answered by nothing */
    KF_EVENT_RECORDED = 5   /* something was appended to the audit log and is to be synced; not more than 25 a second */
};

struct kf_event {
    int32_t kind;
    uint32_t uid;         /* of the peer when it connected */
    uint64_t conn;
    int64_t arrived;      /* when the frame was complete, in microseconds of CLOCK_MONOTONIC */
    struct kf_text frame; /* without its length */
    struct kf_text rest;  /* the bytes of its chunks that were received, all of them, in order; empty: none were */
    void *memory;         /* for kf_reactor_done */
};

/* Readable while there are events, for poll(2). */
int kf_reactor_event_fd(const struct kf_reactor *reactor);
/* The next event: KF_EVENT_NONE when there is none. What it points to is good until kf_reactor_done. */
void kf_reactor_take(struct kf_reactor *reactor, struct kf_event *out);
/* Wipes and frees the memory of an event. */
void kf_reactor_done(struct kf_reactor *reactor, struct kf_event *event);
/* Sends whole frames, copied; they answer num_answered of the connection's requests. KF_ERR_MEMORY. */
int kf_reactor_send(struct kf_reactor *reactor, uint64_t conn, const uint8_t *frames, size_t frames_len,
                    uint32_t num_answered);
/* The hello of a connection is answered (by a kf_reactor_send before): its requests are read from now on. caller: for
 * whom tickets are meant; 0: for nobody. KF_ERR_MEMORY. */
int kf_reactor_admit(struct kf_reactor *reactor, uint64_t conn, uint64_t caller);
/* Closes a connection when what was sent before is with the kernel, or at once. KF_ERR_MEMORY. */
int kf_reactor_drop(struct kf_reactor *reactor, uint64_t conn);

/* How requests by number of one caller, operation and key name are answered without asking anybody, while the epoch is
 * what it was and until a time. */
struct kf_ticket {
    uint64_t key;           /* its handle; 0 for random bytes */
    uint64_t epoch;         /* what the reactor's epoch was before anything was looked up */
    int64_t due;            /* microseconds since 1970-01-01 UTC; INT64_MAX: never */
    uint64_t max_record;    /* bytes of a record, beyond which the request is not for here */
    uint8_t public64[64];   /* to verify: x || y */
    uint32_t mac_len;       /* bytes of a MAC */
    uint32_t slot;          /* where its uses are counted (kf_reactor_used) */
    int32_t recorded;       /* 1: each answer is recorded in the audit log first */
    /* Of the event (docs/audit.md), in msgpack: its members from the name to the message; pairs of its request, to which
     * the encryption context, NumberOfBytes or MessageType is added; whether it is read only. */
    struct kf_text event, members;
    uint32_t num_members;
    int32_t is_read_only;
    int32_t timer; /* counts what is answered; less than KF_TIMER_DOORS: nobody does */
};

enum { KF_REACTOR_SLOTS = 4096 };

/* operation: the number of a request. key: its name as requests give it, or nothing. fact: of blobs to decrypt the 24
 * bytes that they start with, of operations with an algorithm its name, else nothing. Copied. KF_ERR_ARGUMENT,
 * KF_ERR_MEMORY, and what kf_bind returns for the key. */
int kf_ticket_put(struct kf_reactor *reactor, uint64_t caller, int operation, const uint8_t *key, size_t key_len,
                  const uint8_t *fact, size_t fact_len, const struct kf_ticket *ticket);
/* Forgets all tickets of a caller; 0: of everybody. */
void kf_ticket_forget(struct kf_reactor *reactor, uint64_t caller);
/* The last use of a slot: in the audit log the request is called CONN-ID. */
struct kf_reactor_use {
    uint64_t conn, id;
    uint32_t slot;
};
/* The slots whose tickets were used since this was last asked: their number; at most max are written and taken. */
size_t kf_reactor_used(struct kf_reactor *reactor, struct kf_reactor_use *out, size_t max);

/* Where events are recorded. lock_fd: the log's lock file, opened for the reactor alone, since a lock is that of an open
 * file and does not tell threads apart. Both descriptors are duplicated; end must be mapped until another log is given.
 * NULL: nowhere, and tickets that say `recorded` do not hold. KF_ERR_SYSTEM: as before. */
struct kf_reactor_log {
    struct kf_log_end *end;
    int32_t lock_fd, fd;
    uint64_t segment, max_offset;
};
int kf_reactor_record(struct kf_reactor *reactor, const struct kf_reactor_log *log);

struct kf_reactor_counts {
    uint64_t connections;            /* open */
    uint64_t refused;                /* for there were too many */
    uint64_t timeouts;
    uint64_t hot[64], records[64], bytes[64]; /* requests answered here by number of the operation; their records, and
                                               * the bytes of these */
    uint64_t handed;                 /* frames handed on */
    uint64_t unrecorded;             /* requests handed on for they could not be recorded */
};
void kf_reactor_counts(struct kf_reactor *reactor, struct kf_reactor_counts *out);

/* ---- counters (docs/metrics.md) --------------------------------------------------------------- */

/* Counters are single numbers. Those from KF_COUNTER_DOORS on are given out by the Python layer, which has their names. */
enum kf_counter {
    KF_COUNTER_ARENA_USES = 0,  /* pins of key versions in the arena */
    KF_COUNTER_ARENA_LOADS = 1, /* key versions put into it */
    KF_COUNTER_USUAL = 2,       /* requests answered from templates (kf_reply_*) */
    KF_COUNTER_DOORS = 8,
    KF_COUNTERS = 2048
};

/* Timers count calls, and how long they took. Those from KF_TIMER_DOORS on are given out by the Python layer: one for
 * each operation of a door. */
enum kf_timer_of {
    KF_TIMER_SEAL = 0,
    KF_TIMER_OPEN = 1,
    KF_TIMER_DATA_KEY = 2,
    KF_TIMER_SEALED_SEAL = 3,
    KF_TIMER_SEALED_OPEN = 4,
    KF_TIMER_SIGN = 5,
    KF_TIMER_VERIFY = 6,
    KF_TIMER_MAC = 7,
    KF_TIMER_VERIFY_MAC = 8,
    KF_TIMER_AUDIT = 9, /* records appended to the audit log */
    KF_TIMER_DOORS = 16,
    KF_TIMERS = 192
};

enum { KF_TIMES = 25, KF_SIZES = 22 };

/* times[i]: calls that took at most 2^(10 + i) ns, and longer than the i before; the last: longer than all. Of calls
 * whose time was not taken there is none. sizes[i]: batches of at most 2^i records, likewise; of calls that are not
 * batches there is none. */
struct kf_timer {
    uint64_t calls, records, failed, bytes, nanoseconds;
    uint64_t times[KF_TIMES];
    uint64_t sizes[KF_SIZES];
};

/* A monotonic clock, in nanoseconds: that of Python's time.monotonic_ns. */
uint64_t kf_metrics_now(void);
/* What counts may be called by any thread at any time, and fails never: numbers out of range are not counted.
 * begun: kf_metrics_now() when the call began. failed: of the records, those that were refused. */
void kf_metrics_count(int counter, uint64_t num);
/* A request begins in this thread. What answers it here (kf_reply_*) counts it; kf_metrics_begun gives the time when it
 * began to whoever counts it otherwise, or 0: it was counted. So does a second call. */
void kf_metrics_begin(void);
uint64_t kf_metrics_begun(void);
/* begun 0: the time that it took is not known. */
void kf_metrics_request(int timer, uint64_t begun);
void kf_metrics_batch(int timer, uint64_t begun, uint64_t num, uint64_t failed, uint64_t bytes);
/* What all threads of this process have counted, those that have ended as well. */
uint64_t kf_metrics_counter(int counter);
int kf_metrics_timer(struct kf_timer *out, int timer);
