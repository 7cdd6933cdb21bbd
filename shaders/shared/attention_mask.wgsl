// Which keys a query row sees. Keys are named by their position: position p stands in slot p mod capacity of a ring; without
// a ring, a row's number is its position. Query vectors of a key head are numbered row by row, in each row by its query heads.
// The importing shader defines VECTORS and KEYS (of a tile), and binds `at` [1] (past) or [bounds].

// Score of a key that is not seen, and a lower bound of all others.
const UNSEEN: f32 = -3e38;
const LOWEST: f32 = -1e30;

// Shaders that hold elements of heads in registers do so for heads of up to 64 ONE, 128 TWO or 256 FOUR of them.
#ifdef ONE
const COLUMNS: u32 = 1;
#endif
#ifdef TWO
const COLUMNS: u32 = 2;
#endif
#ifdef FOUR
const COLUMNS: u32 = 4;
#endif

struct Params {
    rows: u32,
    heads: u32,
    kv_heads: u32,
    // Slots of keys and values.
    capacity: u32,
    // Keys that a row sees at most.
    window: u32,
    // How many bounds of segments there are.
    bounds: u32,
    // Workgroups that share the keys of a tile of query vectors.
    splits: u32,
    scale: f32,
    q_offset: u32,
    k_offset: u32,
    v_offset: u32,
    at_offset: u32,
    out_offset: u32,
    head_dim: u32,
}

var<immediate> params: Params;

// Positions from `first` up to `end`, which is not one of them.
struct Span {
    first: u32,
    end: u32,
}

#ifdef SEGMENTS
// The segment that a row is in; an empty span where it is in none.
fn row_span(row: u32) -> Span {
    // The last bound that is not behind the row.
    var low = 0u;
    var high = params.bounds;
    while low < high {
        let middle = (low + high) / 2;
        if at[params.at_offset + middle] <= row {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if low == 0 || low >= params.bounds {
        return Span(0, 0);
    }
    let end = min(at[params.at_offset + low], params.rows);
    let first = at[params.at_offset + low - 1];
    return Span(select(0u, first, end > row), select(0u, end, end > row));
}

// All that one of some rows may see.
fn rows_span(first_row: u32, last_row: u32) -> Span {
    let first = row_span(first_row);
    let last = row_span(last_row);
    return Span(select(first_row, first.first, first.end > 0), select(last_row + 1, last.end, last.end > 0));
}
#else
fn row_span(row: u32) -> Span {
    // Beyond any context: whatever is there, no sum below overflows.
    let past = min(at[params.at_offset], 0x3fffffffu);
    let end = past + row + 1;
    // Later rows have taken the slots of the oldest.
    let oldest = max(past + params.rows, params.capacity) - params.capacity;
    return Span(max(oldest, max(end, params.window) - params.window), end);
}

fn rows_span(first_row: u32, last_row: u32) -> Span {
    return Span(row_span(first_row).first, row_span(last_row).end);
}
#endif

// All that a tile of query vectors may see.
fn tile_span(tile: u32) -> Span {
    let group = params.heads / params.kv_heads;
    let last = min(tile * VECTORS + VECTORS, params.rows * group) - 1;
    return rows_span(tile * VECTORS / group, last / group);
}

// The slot of a position that is less than two rings behind the start of one.
fn slot_of(position: u32) -> u32 {
    return select(position, position - params.capacity, position >= params.capacity);
}

// The head of all rows [rows, heads] that a query vector of a key head is.
fn head_of(vector: u32, kv_head: u32) -> u32 {
    let group = params.heads / params.kv_heads;
    return vector / group * params.heads + kv_head * group + vector % group;
}

// Where a head's result begins; splits leave theirs padded to four elements.
fn out_at(split: u32, head: u32) -> u32 {
#ifdef SPLIT
    return params.out_offset + (split * params.rows * params.heads + head) * ((params.head_dim + 3) / 4 * 4);
#else
    return params.out_offset + head * params.head_dim;
#endif
}

// How many keys each of the splits takes: whole tiles.
fn split_keys(span: Span) -> u32 {
    let tiles = (span.end - span.first + KEYS - 1) / KEYS;
    return (tiles + params.splits - 1) / params.splits * KEYS;
}
