use crate::executor::Executor;
use crate::kernels::testing::{
    assert_close, assert_nmse, executors, on_matrix_cores, random, run, stored, upload,
};
use crate::kernels::{expert_down, expert_gate_up};
use crate::recording::Recording;
use crate::shape::Element;

/// A layer of experts: `n` tokens with `k` experts each of `experts`, from `h` to `w` and back.
struct Case {
    sizes: [usize; 5],
    element: Element,
    index: Vec<u32>,
    x: Vec<f32>,
    mid: Vec<f32>,
    weight: Vec<f32>,
    residual: Vec<f32>,
    /// Gate, up and down as given, and what remains of them as elements.
    given: [Vec<f32>; 3],
    stacks: [Vec<f32>; 3],
}

impl Case {
    fn new(sizes: [usize; 5], element: Element) -> Case {
        let [n, k, experts, h, w] = sizes;
        let given = [5, 6, 7].map(|seed| random(experts * h * w, seed));
        Case {
            sizes,
            element,
            index: random(n * k, 9).iter().map(|v| (v.abs() * 1000.0) as u32 % experts as u32).collect(),
            x: random(n * h, 1),
            mid: random(n * k * w, 2),
            weight: random(n * k, 3),
            residual: random(n * h, 4),
            stacks: [(0, h), (1, h), (2, w)].map(|(i, row)| stored(element, row, &given[i])),
            given,
        }
    }

    /// The product of row `o` of a stack's matrix with `x`, in f64.
    fn dot(&self, stack: usize, expert: u32, o: usize, x: &[f32]) -> f64 {
        let [_, _, experts, h, w] = self.sizes;
        let rows = if stack == 2 { h } else { w };
        let row = (expert as usize).min(experts - 1) * rows + o;
        x.iter().zip(&self.stacks[stack][row * x.len()..]).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum()
    }

    fn gate_up(&self) -> Vec<f32> {
        let [_, k, _, h, w] = self.sizes;
        let one = |(row, &e): (usize, &u32)| {
            let x = &self.x[row / k * h..][..h];
            let at = move |o| {
                let (g, u) = (self.dot(0, e, o, x), self.dot(1, e, o, x));
                (g / (1.0 + (-g).exp()) * u) as f32
            };
            (0..w).map(at).collect::<Vec<f32>>()
        };
        self.index.iter().enumerate().flat_map(one).collect()
    }

    fn down(&self, residual: bool) -> Vec<f32> {
        let [n, k, _, h, w] = self.sizes;
        let at = |i: usize| {
            let first = if residual { f64::from(self.residual[i]) } else { 0.0 };
            let rows = i / h * k..(i / h + 1) * k;
            let share = |row: usize| {
                f64::from(self.weight[row]) * self.dot(2, self.index[row], i % h, &self.mid[row * w..][..w])
            };
            (first + rows.map(share).sum::<f64>()) as f32
        };
        (0..n * h).map(at).collect()
    }

    /// Both halves, the second with and without the residual.
    fn run(&self, executor: &mut Executor) -> [Vec<f32>; 3] {
        let [n, k, experts, h, w] = self.sizes;
        let [gate, up] = [0, 1].map(|i| upload(executor, [experts, w, h], self.element, &self.given[i]));
        let down = upload(executor, [experts, h, w], self.element, &self.given[2]);
        let mut rec = Recording::new();
        let index = rec.constant_u32([n, k], self.index.clone());
        let x = rec.constant_f32([n, h], self.x.clone());
        let mid = rec.constant_f32([n * k, w], self.mid.clone());
        let weight = rec.constant_f32([n, k], self.weight.clone());
        let residual = rec.constant_f32([n, h], self.residual.clone());
        let outs = [
            expert_gate_up::record(&mut rec, x, None, index, gate, up).unwrap(),
            expert_down::record(&mut rec, mid, index, weight, down, None).unwrap(),
            expert_down::record(&mut rec, mid, index, weight, down, Some(residual)).unwrap(),
        ];
        outs.map(|out| run(executor, &rec, out))
    }

    fn compare(&self, executor: &mut Executor, close: impl Fn(&[f32], &[f32])) {
        let [mid, plain, added] = self.run(executor);
        close(&mid, &self.gate_up());
        close(&plain, &self.down(false));
        close(&added, &self.down(true));
    }

    fn check(&self, executor: &mut Executor) {
        self.compare(executor, |got, want| assert_close(got, want, 1e-5));
    }
}

fn graphics() -> Executor {
    let [_, graphics] = executors();
    graphics
}

#[test]
fn matrix_cores_stay_within_their_error_on_odd_sizes() {
    let Some(mut executor) = on_matrix_cores("experts") else { return };
    for sizes in [[9, 1, 1, 1, 1], [9, 3, 5, 17, 5], [12, 2, 6, 70, 33], [30, 4, 6, 40, 72]] {
        for element in [Element::F16, Element::Bf16, Element::Q8_0, Element::Q4] {
            Case::new(sizes, element).compare(&mut executor, |got, want| assert_nmse(got, want, 1e-6));
        }
        Case::new(sizes, Element::F32).check(&mut executor);
    }
}

#[test]
fn match_the_oracle_on_real_and_odd_sizes() {
    let mut executor = graphics();
    for sizes in
        [[9, 1, 1, 1, 1], [9, 3, 5, 17, 5], [40, 2, 6, 48, 33], [16, 8, 128, 64, 32], [140, 8, 16, 40, 72]]
    {
        for element in [Element::F32, Element::F16, Element::Bf16, Element::Q8_0, Element::Q4] {
            Case::new(sizes, element).check(&mut executor);
        }
    }
}

#[test]
fn any_share_of_the_experts_is_served() {
    let mut executor = graphics();
    for wanted in [&[3u32][..], &[0], &[7], &[6, 7], &[0, 7]] {
        let mut case = Case::new([50, 2, 8, 24, 20], Element::Bf16);
        let ids = wanted.iter().cycle();
        case.index.iter_mut().zip(ids).for_each(|(index, id)| *index = *id);
        case.check(&mut executor);
    }
}

#[test]
fn an_index_beyond_the_stack_takes_the_last_expert() {
    let mut case = Case::new([12, 2, 3, 16, 16], Element::F32);
    case.index[3] = 3;
    case.index[8] = u32::MAX;
    case.check(&mut graphics());
}

#[test]
fn runs_repeat_bit_for_bit() {
    let case = Case::new([70, 4, 6, 64, 40], Element::Bf16);
    assert_eq!(case.run(&mut graphics()), case.run(&mut graphics()));
}
