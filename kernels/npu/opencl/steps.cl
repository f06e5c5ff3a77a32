// The steps of a transformer block other than products. A row's result depends on nothing but the row: the group of GROUP work-items that
// sums a row does so in an order that its length alone decides, and attention adds what a row sees in the order in which it sees it,
// wherever that lies and whatever else there is.

#pragma OPENCL FP_CONTRACT OFF

#define GROUP 64

// The sum or the largest of what the items of a group have, for all of them.
float group_sum(float v, __local float *all) {
	const uint me = get_local_id(0);
	all[me] = v;
	for (uint half_group = GROUP / 2; half_group > 0; half_group /= 2) {
		barrier(CLK_LOCAL_MEM_FENCE);
		if (me < half_group)
			all[me] += all[me + half_group];
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	v = all[0];
	barrier(CLK_LOCAL_MEM_FENCE);
	return v;
}

float group_max(float v, __local float *all) {
	const uint me = get_local_id(0);
	all[me] = v;
	for (uint half_group = GROUP / 2; half_group > 0; half_group /= 2) {
		barrier(CLK_LOCAL_MEM_FENCE);
		if (me < half_group)
			all[me] = fmax(all[me], all[me + half_group]);
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	v = all[0];
	barrier(CLK_LOCAL_MEM_FENCE);
	return v;
}

// One group normalises one run of width elements.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void rms_norm(
	__global float *dst, ulong dst_first, __global const float *x, ulong x_first, __global const float *gain, ulong gain_first, uint width, float eps) {
	__local float all[GROUP];
	const size_t run = get_group_id(0) * (size_t)width;
	dst += dst_first + run;
	x += x_first + run;
	gain += gain_first;
	float sum = 0;
	for (uint i = get_local_id(0); i < width; i += GROUP)
		sum += x[i] * x[i];
	const float scale = 1 / sqrt(group_sum(sum, all) / width + eps);
	for (uint i = get_local_id(0); i < width; i += GROUP)
		dst[i] = x[i] * scale * gain[i];
}

// Turns the pair (i, i + dim/2) of a head.
__kernel void rope(__global float *dst, ulong dst_first, __global const float *x, ulong x_first, __global const float *cosines, ulong cos_first,
	__global const float *sines, ulong sin_first, uint heads, uint dim, uint pairs) {
	const uint pair = get_global_id(0);
	if (pair >= pairs)
		return;
	const uint half_dim = dim / 2, i = pair % half_dim, row = pair / half_dim / heads;
	const size_t at = pair / half_dim * (size_t)dim + i;
	const float a = x[x_first + at], b = x[x_first + at + half_dim];
	const float c = cosines[cos_first + row * (size_t)half_dim + i], s = sines[sin_first + row * (size_t)half_dim + i];
	dst[dst_first + at] = a * c - b * s;
	dst[dst_first + at + half_dim] = b * c + a * s;
}

__kernel void silu_mul(__global float *dst, ulong dst_first, __global const float *gate, ulong gate_first, __global const float *up, ulong up_first, uint n) {
	const uint i = get_global_id(0);
	if (i < n)
		dst[dst_first + i] = gate[gate_first + i] / (1 + exp(-gate[gate_first + i])) * up[up_first + i];
}

__kernel void add(__global float *dst, ulong dst_first, __global const float *a, ulong a_first, __global const float *b, ulong b_first, uint n) {
	const uint i = get_global_id(0);
	if (i < n)
		dst[dst_first + i] = a[a_first + i] + b[b_first + i];
}

// x as F16 stores it.
float rounded(float x) {
	ushort bits;
	vstore_half_rte(x, 0, (half *)&bits);
	return vload_half(0, (const half *)&bits);
}

// One group computes one query head of one row. Keys and values are the positions of the caches, then the rows of the batch; scores has room for
// one number for each, for each group. Keys and values that the masks hide are not read.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention(
	__global float *dst, ulong dst_first, __global const float *q, ulong q_first,
	__global const half *k_cache, ulong k_cache_first, __global const half *v_cache, ulong v_cache_first,
	__global const float *k, ulong k_first, __global const float *v, ulong v_first,
	__global const float *past, ulong past_first, __global const float *tree, ulong tree_first,
	__global float *scores, uint heads, uint kv_heads, uint dim, uint positions, uint n, uint batch, float scale) {
	__local float all[GROUP];
	const uint me = get_local_id(0), head = get_group_id(0), row = get_group_id(1);
	const uint kv_head = head / (heads / kv_heads), keys = positions + n;
	const size_t at = (row * (size_t)heads + head) * dim;
	q += q_first + at;
	dst += dst_first + at;
	k_cache += k_cache_first + kv_head * (size_t)positions * dim;
	v_cache += v_cache_first + kv_head * (size_t)positions * dim;
	k += k_first + kv_head * (size_t)dim;
	v += v_first + kv_head * (size_t)dim;
	past += past_first + row * (size_t)positions;
	tree += tree_first + row * (size_t)batch;
	scores += (row * (size_t)heads + head) * (positions + batch);
	const size_t stride = kv_heads * (size_t)dim; // of the rows of the batch

	float top = -INFINITY;
	for (uint j = me; j < keys; j += GROUP) {
		float sum = -INFINITY;
		if (j < positions ? past[j] >= 0 : tree[j - positions] >= 0) {
			sum = 0;
			for (uint c = 0; c < dim; c++)
				sum += q[c] * (j < positions ? vload_half(j * (size_t)dim + c, k_cache) : rounded(k[(j - positions) * stride + c]));
			sum *= scale;
		}
		scores[j] = sum;
		top = fmax(top, sum);
	}
	top = group_max(top, all);
	for (uint j = me; j < keys; j += GROUP)
		scores[j] = scores[j] == -INFINITY ? 0 : exp(scores[j] - top);
	barrier(CLK_GLOBAL_MEM_FENCE);
	for (uint c = me; c < dim; c += GROUP) {
		float sum = 0, total = 0;
		for (uint j = 0; j < keys; j++) {
			const float p = scores[j];
			if (p == 0)
				continue;
			total += p;
			sum += p * (j < positions ? vload_half(j * (size_t)dim + c, v_cache) : rounded(v[(j - positions) * stride + c]));
		}
		dst[c] = sum / total;
	}
}
