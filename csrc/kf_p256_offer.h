/* Template: what an implementation made from the templates offers. */

static void fe_mul_call(kf_p256_fe *r, const kf_p256_fe *a, const kf_p256_fe *b) { fe_mul(r, a, b); }

static void scalar_mul_call(kf_p256_scalar *r, const kf_p256_scalar *a, const kf_p256_scalar *b) {
    scalar_mul(r, a, b);
}

const kf_p256_arith ARITHMETIC_NAME = {
    .fe_mul = fe_mul_call,
    .fe_inverse = fe_inverse,
    .scalar_mul = scalar_mul_call,
    .scalar_inverse = scalar_inverse,
    .scalar_inverse_many = scalar_inverse_many,
    .base_mul = base_mul,
    .base_mul_twice = base_mul_twice,
    .point_mul = point_mul,
    .on_curve = on_curve,
    .verify_var = verify_var,
    .add_var = add_var,
    .is_point_var = is_point_var,
    .table_len = sizeof(kf_p256_point) * TABLE_POINTS,
    .table_scratch_len = (sizeof(table_scratch) + 63) / 64 * 64,
    .fill_table_var = fill_table_var,
    .verify_table_var = verify_table_var,
};

static const kf_p256_impl implementation = {
    .name = IMPLEMENTATION_NAME,
    .arith = &ARITHMETIC_NAME,
    .chunk = CHUNK,
    .many_chunk = MANY_CHUNK,
    .scratch_len = scratch_len,
    .many_scratch_len = many_scratch_len,
    .sum_scratch_len = sum_scratch_len,
    .key_table_len = sizeof(kf_p256_point) * TABLE_POINTS,
    .prepare = prepare,
    .base_mul = base_mul_many,
    .key_table_var = fill_table_var,
    .verify_key_var = verify_key_var,
    .verify_many_var = verify_many_var,
    .sum_var = sum_var,
};
