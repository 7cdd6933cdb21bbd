// Batches of weights in floating point, multiplied with rows of x.
#ifndef BLOCKS

#ifdef F32
// x at the places of a piece's elements.
alias Piece = vec4<f32>;

fn x_piece(row: u32, chunk: u32) -> Piece {
    return x[params.x_at + row * params.chunks + chunk];
}

fn norm_piece(chunk: u32) -> Piece {
    return norm[params.norm_at + chunk];
}

fn normed(v: Piece, weight: Piece) -> Piece {
    return v * weight;
}

fn times(v: Piece, factor: f32) -> Piece {
    return v * factor;
}

fn squares(v: Piece, sum: f32) -> f32 {
    return sum + dot(v, v);
}

fn fold(piece: vec4<u32>, v: Piece, sum: f32) -> f32 {
    return along(bitcast<vec4<f32>>(piece), v, sum);
}
#else
// x at the places of a piece's even and odd elements.
struct Piece {
    even: vec4<f32>,
    odd: vec4<f32>,
}

fn split(a: vec4<f32>, b: vec4<f32>) -> Piece {
    return Piece(vec4(a.xz, b.xz), vec4(a.yw, b.yw));
}

fn x_piece(row: u32, chunk: u32) -> Piece {
    let at = params.x_at + 2 * (row * params.chunks + chunk);
    return split(x[at], x[at + 1]);
}

fn norm_piece(chunk: u32) -> Piece {
    let at = params.norm_at + 2 * chunk;
    return split(norm[at], norm[at + 1]);
}

fn normed(v: Piece, weight: Piece) -> Piece {
    return Piece(v.even * weight.even, v.odd * weight.odd);
}

fn times(v: Piece, factor: f32) -> Piece {
    return Piece(v.even * factor, v.odd * factor);
}

fn squares(v: Piece, sum: f32) -> f32 {
    return sum + (dot(v.even, v.even) + dot(v.odd, v.odd));
}

fn fold(piece: vec4<u32>, v: Piece, sum: f32) -> f32 {
#ifdef BF16
    let even = bitcast<vec4<f32>>(piece << vec4(16u));
    let odd = bitcast<vec4<f32>>(piece & vec4(0xffff0000u));
#else
    let a = unpack2x16float(piece.x);
    let b = unpack2x16float(piece.y);
    let c = unpack2x16float(piece.z);
    let d = unpack2x16float(piece.w);
    let even = vec4(a.x, b.x, c.x, d.x);
    let odd = vec4(a.y, b.y, c.y, d.y);
#endif
    return along(odd, v.odd, along(even, v.even, sum));
}
#endif

fn along(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

fn accumulate(sums: ptr<function, array<f32, MOST_SUMS>>, batch: ptr<function, Batch>, row: u32, chunk: u32) {
    for (var s = 0u; s < STEPS; s++) {
        let c = chunk + s * LANES;
        for (var n = 0u; n < COLUMNS; n++) {
            var v = x_piece(min(row + n, params.rows - 1), c);
#ifdef EXPERTS
            v = times(v, x_share(row, c));
#endif
            if NORM {
                (*sums)[ROWS * COLUMNS + n] = squares(v, (*sums)[ROWS * COLUMNS + n]);
                v = normed(v, norm_piece(c));
            }
            for (var r = 0u; r < ROWS; r++) {
                let i = r * COLUMNS + n;
                (*sums)[i] = fold((*batch).pieces[s * ROWS + r], v, (*sums)[i]);
            }
        }
    }
}

// Nothing is made ready.
alias Ahead = u32;

fn x_ahead(row: u32, thread: u32, start: u32) -> Ahead {
    return 0u;
}

fn prepare(row: u32, thread: u32, ahead: Ahead) {}
#endif
