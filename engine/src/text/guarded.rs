//! Templates compiled so that whatever they make goes through [`bounds`].
//!
//! The library bounds neither the texts nor the lists that a template makes, and works constants out when it compiles. So in the
//! parsed template every part that makes something becomes the argument of a function that looks at what was made, and gives it
//! back. The names of these functions are none that a template can write.

use std::collections::BTreeMap;

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Value,
    machinery::{
        self, CodeGenerator, Instructions, Token,
        ast::{self, BinOpKind, CallArg, Expr, Spanned, Stmt, UnaryOpKind},
    },
    syntax::SyntaxConfig,
};

use super::bounds;

/// What an operator, a filter or a literal makes.
const MADE: &str = "(made)";
/// What a function or a method gives.
const GIVEN: &str = "(given)";
/// What makes nothing new, but can take long.
const TIMED: &str = "(timed)";
/// What a macro keeps.
const KEPT: &str = "(kept)";
/// In place of `*`.
const TIMES: &str = "(times)";

/// Most names, numbers and signs in one tag: the library goes down a level for each in a row.
const MAX_ROW: usize = 1000;
/// Most `elif`: the library goes down a level for each.
const MAX_ELIF: usize = 250;

/// A template that can be run.
pub(super) struct Guarded<'a> {
    instructions: Instructions<'a>,
    blocks: BTreeMap<&'a str, Instructions<'a>>,
}

impl<'a> Guarded<'a> {
    /// Compiles a source, which errors call `name`.
    pub(super) fn compile(name: &'a str, source: &'a str, syntax: &SyntaxConfig) -> Result<Self, Error> {
        bounds::check(source.len())?;
        check_depth(source, syntax)?;
        let parsed = machinery::parse(source, name, syntax.clone())?;
        let mut generator = CodeGenerator::new(name, source);
        generator.compile_stmt(&statement(&parsed));
        let (instructions, blocks) = generator.finish();
        Ok(Self { instructions, blocks })
    }

    /// Runs it in an environment that has had [`add`].
    pub(super) fn run(&self, environment: &'a Environment<'a>, context: Value) -> Result<String, Error> {
        let mut text = String::new();
        let mut out = machinery::make_string_output(&mut text);
        machinery::eval(environment, &self.instructions, context, &self.blocks, &mut out, AutoEscape::None)?;
        bounds::check(text.len())?;
        Ok(text)
    }
}

/// Adds the functions that compiled templates call.
pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_function(MADE, bounds::made);
    environment.add_filter(MADE, bounds::made);
    environment.add_function(GIVEN, bounds::given);
    environment.add_function(TIMED, bounds::timed);
    environment.add_function(KEPT, bounds::kept);
    environment.add_function(TIMES, bounds::times);
}

/// Refuses what would exhaust the stack of the library's parser and compiler, which see to brackets only.
fn check_depth(source: &str, syntax: &SyntaxConfig) -> Result<(), Error> {
    let (mut row, mut elifs) = (0, 0);
    // A fault is the parser's to tell.
    for (token, span) in machinery::tokenize(source, false, syntax.clone()).map_while(Result::ok) {
        match token {
            Token::VariableStart | Token::BlockStart => row = 0,
            Token::Ident("elif") => elifs += 1,
            Token::TemplateData(_) | Token::Str(_) | Token::String(_) | Token::Comma | Token::Colon => {}
            _ => row += 1,
        }
        if row > MAX_ROW || elifs > MAX_ELIF {
            let line = span.start_line;
            return Err(Error::new(ErrorKind::SyntaxError, format!("too much in one tag, in line {line}")));
        }
    }
    Ok(())
}

/// `value` as the argument of a guard.
fn through<'a>(guard: &'static str, value: Expr<'a>) -> Expr<'a> {
    let span = value.span();
    let expr = Expr::Var(Spanned::new(ast::Var { id: guard }, span));
    Expr::Call(Spanned::new(ast::Call { expr, args: vec![CallArg::Pos(value)] }, span))
}

/// A new node in the place of an old one.
fn at<T, U>(old: &Spanned<T>, new: U) -> Spanned<U> {
    Spanned::new(new, old.span())
}

fn statements<'a>(list: &[Stmt<'a>]) -> Vec<Stmt<'a>> {
    let one = |s: &Stmt<'a>| match s {
        Stmt::Macro(m) => [Some(keeping(m)), Some(statement(s))],
        Stmt::CallBlock(c) => [Some(keeping(&c.macro_decl)), Some(statement(s))],
        _ => [Some(statement(s)), None],
    };
    list.iter().flat_map(one).flatten().collect()
}

/// Counts what the definition of a macro keeps of its surroundings: at most so much for each name in it.
fn keeping<'a>(definition: &Spanned<ast::Macro<'a>>) -> Stmt<'a> {
    let span = definition.span();
    let bytes = 512 + 32 * u64::from(span.end_offset.saturating_sub(span.start_offset));
    let bytes = Expr::Const(at(definition, ast::Const { value: Value::from(bytes) }));
    for_nothing(definition, through(KEPT, bytes))
}

/// An expression whose value nobody needs.
fn for_nothing<'a, T>(old: &Spanned<T>, expr: Expr<'a>) -> Stmt<'a> {
    Stmt::IfCond(at(old, ast::IfCond { expr, true_body: Vec::new(), false_body: Vec::new() }))
}

fn statement<'a>(old: &Stmt<'a>) -> Stmt<'a> {
    match old {
        Stmt::Template(s) => Stmt::Template(at(s, ast::Template { children: statements(&s.children) })),
        Stmt::EmitExpr(s) => Stmt::EmitExpr(at(s, ast::EmitExpr { expr: expression(&s.expr) })),
        // As a value, so that what prints values sees it.
        Stmt::EmitRaw(s) => {
            let value = Value::from_safe_string(s.raw.to_owned());
            Stmt::EmitExpr(at(s, ast::EmitExpr { expr: Expr::Const(at(s, ast::Const { value })) }))
        }
        Stmt::ForLoop(s) => Stmt::ForLoop(at(
            s,
            ast::ForLoop {
                target: target(&s.target),
                iter: through(TIMED, expression(&s.iter)),
                filter_expr: s.filter_expr.as_ref().map(expression),
                recursive: s.recursive,
                body: statements(&s.body),
                else_body: statements(&s.else_body),
            },
        )),
        Stmt::IfCond(s) => Stmt::IfCond(at(
            s,
            ast::IfCond {
                expr: expression(&s.expr),
                true_body: statements(&s.true_body),
                false_body: statements(&s.false_body),
            },
        )),
        Stmt::WithBlock(s) => {
            let assignments = s.assignments.iter().map(|(to, value)| (target(to), expression(value)));
            let assignments = assignments.collect();
            Stmt::WithBlock(at(s, ast::WithBlock { assignments, body: statements(&s.body) }))
        }
        Stmt::Set(s) => {
            let expr = expression(&s.expr);
            // What a namespace keeps is a part of it, as if it had been made with it.
            let expr = if matches!(s.target, Expr::Var(_)) { expr } else { through(MADE, expr) };
            Stmt::Set(at(s, ast::Set { target: target(&s.target), expr }))
        }
        Stmt::SetBlock(s) => {
            let filter = s.filter.as_ref().map_or_else(|| captured(s), expression);
            let (target, body) = (target(&s.target), statements(&s.body));
            Stmt::SetBlock(at(s, ast::SetBlock { target, filter: Some(filter), body }))
        }
        Stmt::AutoEscape(s) => Stmt::AutoEscape(at(
            s,
            ast::AutoEscape { enabled: expression(&s.enabled), body: statements(&s.body) },
        )),
        Stmt::FilterBlock(s) => Stmt::FilterBlock(at(
            s,
            ast::FilterBlock { filter: expression(&s.filter), body: statements(&s.body) },
        )),
        Stmt::Block(s) => {
            let body = statements(&s.body);
            Stmt::Block(at(s, ast::Block { name: s.name, required: s.required, body }))
        }
        Stmt::Import(s) => {
            let (expr, name) = (expression(&s.expr), target(&s.name));
            Stmt::Import(at(s, ast::Import { expr, name }))
        }
        Stmt::FromImport(s) => {
            let names = s.names.iter().map(|(name, alias)| (target(name), alias.as_ref().map(target)));
            let names = names.collect();
            Stmt::FromImport(at(s, ast::FromImport { expr: expression(&s.expr), names }))
        }
        Stmt::Extends(s) => Stmt::Extends(at(s, ast::Extends { name: expression(&s.name) })),
        Stmt::Include(s) => {
            let (name, ignore_missing) = (expression(&s.name), s.ignore_missing);
            Stmt::Include(at(s, ast::Include { name, ignore_missing }))
        }
        Stmt::Macro(s) => Stmt::Macro(macro_of(s)),
        Stmt::CallBlock(s) => {
            let (call, macro_decl) = (call(&s.call), macro_of(&s.macro_decl));
            Stmt::CallBlock(at(s, ast::CallBlock { call, macro_decl }))
        }
        Stmt::Continue(s) => Stmt::Continue(at(s, ast::Continue)),
        Stmt::Break(s) => Stmt::Break(at(s, ast::Break)),
        // The library's own keeps what every call has given until the end.
        Stmt::Do(s) => for_nothing(s, through(GIVEN, Expr::Call(call(&s.call)))),
    }
}

fn macro_of<'a>(old: &Spanned<ast::Macro<'a>>) -> Spanned<ast::Macro<'a>> {
    let args = old.args.iter().map(target).collect();
    let defaults = expressions(&old.defaults);
    at(old, ast::Macro { name: old.name, args, defaults, body: statements(&old.body) })
}

/// What is assigned to: a name, an attribute of a namespace, or several of them.
fn target<'a>(old: &Expr<'a>) -> Expr<'a> {
    match old {
        Expr::List(s) => Expr::List(at(s, ast::List { items: s.items.iter().map(target).collect() })),
        other => expression(other),
    }
}

/// The filter that a block's text goes through first.
fn captured<'a, T>(block: &Spanned<T>) -> Expr<'a> {
    Expr::Filter(at(block, ast::Filter { name: MADE, expr: None, args: Vec::new() }))
}

fn expressions<'a>(list: &[Expr<'a>]) -> Vec<Expr<'a>> {
    list.iter().map(expression).collect()
}

fn expression<'a>(old: &Expr<'a>) -> Expr<'a> {
    match old {
        Expr::Var(s) => Expr::Var(at(s, ast::Var { id: s.id })),
        Expr::Const(s) => Expr::Const(at(s, ast::Const { value: s.value.clone() })),
        Expr::UnaryOp(s) => {
            let not = matches!(s.op, UnaryOpKind::Not);
            let op = if not { UnaryOpKind::Not } else { UnaryOpKind::Neg };
            Expr::UnaryOp(at(s, ast::UnaryOp { op, expr: expression(&s.expr) }))
        }
        Expr::BinOp(s) => operation(s),
        Expr::Compare(s) => {
            let ops = s.ops.iter().map(|part| {
                let expr = through(TIMED, expression(&part.expr));
                ast::CompareOp { op: part.op, expr }
            });
            Expr::Compare(at(s, ast::Compare { expr: expression(&s.expr), ops: ops.collect() }))
        }
        Expr::IfExpr(s) => Expr::IfExpr(at(
            s,
            ast::IfExpr {
                test_expr: expression(&s.test_expr),
                true_expr: expression(&s.true_expr),
                false_expr: s.false_expr.as_ref().map(expression),
            },
        )),
        Expr::Slice(s) => {
            let part = |bound: &Option<Expr<'a>>| bound.as_ref().map(expression);
            let (expr, start, stop, step) =
                (expression(&s.expr), part(&s.start), part(&s.stop), part(&s.step));
            through(MADE, Expr::Slice(at(s, ast::Slice { expr, start, stop, step })))
        }
        Expr::Filter(s) => {
            let expr = s.expr.as_ref().map_or_else(|| captured(s), expression);
            let filter = ast::Filter { name: s.name, expr: Some(expr), args: arguments(&s.args) };
            through(MADE, Expr::Filter(at(s, filter)))
        }
        Expr::Test(s) => {
            let test = ast::Test { name: s.name, expr: expression(&s.expr), args: arguments(&s.args) };
            through(TIMED, Expr::Test(at(s, test)))
        }
        Expr::GetAttr(s) => Expr::GetAttr(at(s, ast::GetAttr { expr: expression(&s.expr), name: s.name })),
        Expr::GetItem(s) => {
            let (expr, subscript_expr) = (expression(&s.expr), expression(&s.subscript_expr));
            through(TIMED, Expr::GetItem(at(s, ast::GetItem { expr, subscript_expr })))
        }
        Expr::Call(s) => through(GIVEN, Expr::Call(call(s))),
        Expr::List(s) => through(MADE, Expr::List(at(s, ast::List { items: expressions(&s.items) }))),
        Expr::Tuple(s) => through(MADE, Expr::Tuple(at(s, ast::Tuple { items: expressions(&s.items) }))),
        Expr::Map(s) => {
            let (keys, values) = (expressions(&s.keys), expressions(&s.values));
            through(MADE, Expr::Map(at(s, ast::Map { keys, values })))
        }
    }
}

fn operation<'a>(old: &Spanned<ast::BinOp<'a>>) -> Expr<'a> {
    let (left, right) = (expression(&old.left), expression(&old.right));
    if matches!(old.op, BinOpKind::Mul) {
        let expr = Expr::Var(at(old, ast::Var { id: TIMES }));
        return Expr::Call(at(old, ast::Call { expr, args: vec![CallArg::Pos(left), CallArg::Pos(right)] }));
    }
    let whole = Expr::BinOp(at(old, ast::BinOp { op: old.op, left, right }));
    match old.op {
        BinOpKind::Add | BinOpKind::Concat => through(MADE, whole),
        BinOpKind::ScAnd | BinOpKind::ScOr => whole,
        _ => through(TIMED, whole),
    }
}

fn call<'a>(old: &Spanned<ast::Call<'a>>) -> Spanned<ast::Call<'a>> {
    // The name itself stays: the library knows calls of functions, methods and blocks by it.
    at(old, ast::Call { expr: expression(&old.expr), args: arguments(&old.args) })
}

fn arguments<'a>(list: &[CallArg<'a>]) -> Vec<CallArg<'a>> {
    let argument = |old: &CallArg<'a>| match old {
        CallArg::Pos(value) => CallArg::Pos(expression(value)),
        CallArg::Kwarg(name, value) => CallArg::Kwarg(name, expression(value)),
        // Every one is laid out whole.
        CallArg::PosSplat(value) => CallArg::PosSplat(through(MADE, expression(value))),
        CallArg::KwargSplat(value) => CallArg::KwargSplat(through(MADE, expression(value))),
    };
    list.iter().map(argument).collect()
}
