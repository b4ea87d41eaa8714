import type {
  BranchNode,
  FanoutNode,
  GraphNode,
  LetNode,
  MapNode,
  MergeNode,
  ParallelNode,
  ProjectNode,
  SequentialNode,
} from '../graph/ast.ts';
import { nearest } from '../types/nearest.ts';
import { childPath } from '../graph/walk.ts';
import { pathSteps } from '../run/values.ts';
import { ANY, BOOL, NUMBER, type NType, TEXT, fieldType, list, record } from '../types/ntype.ts';
import { fieldsOf, hasVariables, isRecord } from '../types/subtype.ts';
import { typeSize } from '../types/children.ts';
import { union } from '../types/union.ts';
import { literalType } from '../types/literal.ts';
import { branchType, openVariants, sourceType } from './branch-input.ts';
import { inferStage } from './infer-stage.ts';
import { scopeType } from './scope-type.ts';
import type { Checking, Edge } from './state.ts';

/**
 * Largest output that is followed, in types: doubled by each of a few nodes in a row, it would soon be larger than any
 * memory. The widest graph of a thousand nodes stays below.
 */
const MAX_SIZE = 200_000;

/** The output type of a node on an input type. Every problem is noted; a node with one gives what it declares. */
export function infer(node: GraphNode, path: string, input: NType, edge: Edge, check: Checking): NType {
  const output = inferNode(node, path, input, edge, check);
  if (typeSize(output) <= MAX_SIZE) return output;
  check.warn(path, 'the type of its output is too large to follow; what comes after is checked at run time');
  return ANY;
}

function inferNode(node: GraphNode, path: string, input: NType, edge: Edge, check: Checking): NType {
  switch (node.op) {
    case 'Stage':
      return inferStage(node, path, input, edge, check);
    case 'RemoteStage':
      check.fit(path, input, node.input, edge);
      check.edge({ path, from: input, to: node.input, gives: node.output });
      return node.output;
    case 'Const': {
      const gives = literalType(node.value);
      check.edge({ path, from: input, to: ANY, gives });
      return gives;
    }
    case 'Sequential':
      return inferSequential(node, path, input, edge, check);
    case 'Parallel':
      return inferParallel(node, path, input, edge, check);
    case 'Branch':
      return inferBranch(node, path, input, edge, check);
    case 'Fanout':
      return inferFanout(node, path, input, edge, check);
    case 'Merge':
      return inferMerge(node, path, input, edge, check);
    case 'Retry':
      return infer(node.stage, `${path}.stage`, input, edge, check);
    case 'Let':
      return inferLet(node, path, input, edge, check);
    case 'Map':
      return inferMap(node, path, input, check);
    case 'Project':
      return inferProject(node, path, input, check);
  }
}

function inferSequential(
  node: SequentialNode,
  path: string,
  input: NType,
  edge: Edge,
  check: Checking,
): NType {
  if (node.stages.length === 0) check.empty(path, node.op);
  let value = input;
  for (const [i, stage] of node.stages.entries()) {
    const arriving: Edge = i === 0 ? edge : { kind: 'sequential', index: i - 1 };
    value = infer(stage, `${path}.stages[${i}]`, value, arriving, check);
  }
  return value;
}

function inferParallel(node: ParallelNode, path: string, input: NType, edge: Edge, check: Checking): NType {
  if (node.branches.size === 0) check.empty(path, node.op);
  const outputs = [...node.branches].map(([name, branch]) => {
    const at = childPath(`${path}.branches`, name);
    return [name, inferNamedBranch(branch, at, { input, name, edge }, check)] as const;
  });
  return record(Object.fromEntries(outputs));
}

interface GivenBranch {
  readonly input: NType;
  readonly name: string;
  readonly edge: Edge;
}

function inferNamedBranch(branch: GraphNode, path: string, given: GivenBranch, check: Checking): NType {
  const { input, name, edge } = given;
  if (check.isOpen(input)) return inferOpenBranch(branch, path, given, check);
  const type = branchType(input, name, check);
  const open = openVariants(input, check);
  if (open.length === 0) return infer(branch, path, type, edge, check);
  const needed = check.solver.fresh();
  const output = infer(branch, path, needed, edge, check);
  for (const variant of open) check.branches.push({ path, name, input: variant, takes: 'whole', needed });
  check.fit(path, type, needed, edge);
  return output;
}

/**
 * A branch over an input not known yet: it gets a field of its name if there is one known or it needs something that is
 * no record, else the whole input.
 */
function inferOpenBranch(branch: GraphNode, path: string, given: GivenBranch, check: Checking): NType {
  const { input, name, edge } = given;
  const needed = check.solver.fresh();
  const known = check.solver.fieldOf(input, name, false);
  const output = infer(branch, path, known ?? needed, edge, check);
  const shape = check.solver.resolve(needed);
  const whole =
    shape.kind === 'Any' || isRecord(shape) || (shape.kind === 'Union' && shape.value.some(isRecord));
  const takes = known === undefined && whole ? 'whole' : 'field';
  const source = takes === 'whole' ? input : (known ?? check.solver.fieldOf(input, name) ?? input);
  if (!isBound(input, name, check))
    check.branches.push({ path, name, input, takes, needed: known ?? needed });
  if (known === undefined) check.fit(path, source, needed, edge);
  return output;
}

/** Whether the input has the name for sure, as that of a binding or an item. */
function isBound(input: NType, name: string, check: Checking): boolean {
  const at = check.solver.shallow(input);
  return at.kind === 'RecordWith' && fieldType(at.value.fields, name) !== undefined;
}

function inferBranch(node: BranchNode, path: string, input: NType, edge: Edge, check: Checking): NType {
  const decides = `${path}.predicate`;
  const given = infer(node.predicate, decides, input, edge, check);
  check.edge({ path: decides, from: given, to: BOOL, gives: null });
  const reason = check.solver.fits(given, BOOL);
  if (reason !== null) {
    const actual = check.show(given);
    check.problem(decides, 'GRAPH_PREDICATE_NOT_BOOL', `branch predicate must produce Bool, got ${actual}`, {
      kind: 'BranchPredicateNotBool',
      expected: 'Bool',
      actual,
    });
  }
  const arms = (['if_true', 'if_false'] as const).map((arm) =>
    infer(node[arm], `${path}.${arm}`, input, edge, check),
  );
  return union(arms);
}

function inferFanout(node: FanoutNode, path: string, input: NType, edge: Edge, check: Checking): NType {
  if (node.targets.length === 0) check.empty(path, node.op);
  const source = infer(node.source, `${path}.source`, input, edge, check);
  const outputs = node.targets.map((target, index) =>
    infer(target, `${path}.targets[${index}]`, source, { kind: 'fanout', index }, check),
  );
  return list(outputs.length === 0 ? ANY : union(outputs));
}

/** Sources over an input not known yet: a record with what they need, in one; anything where they need nothing. */
function inferOpenSources(
  node: MergeNode,
  path: string,
  { input, edge }: Omit<GivenBranch, 'name'>,
  check: Checking,
): readonly (readonly [string, NType])[] {
  const sources = node.sources.map((source, i) => {
    const name = `source_${i}`;
    const given = check.solver.fieldOf(input, name, false) ?? check.solver.fresh();
    return { name, given, output: infer(source, `${path}.sources[${i}]`, given, edge, check) };
  });
  // What a source hands on may still turn out to be needed as something.
  const needs = sources.some(
    ({ given, output }) => hasVariables(output) || check.solver.resolve(given).kind !== 'Any',
  );
  if (needs) {
    const fields = Object.fromEntries(sources.map(({ name, given }) => [name, given]));
    check.fit(path, input, record(fields), edge);
  }
  return sources.map(({ name, output }) => [name, output]);
}

function inferMerge(node: MergeNode, path: string, input: NType, edge: Edge, check: Checking): NType {
  if (node.sources.length === 0) check.empty(path, node.op);
  const open = check.solver.shallow(input).kind === 'Var';
  const outputs = open
    ? inferOpenSources(node, path, { input, edge }, check)
    : node.sources.map((source, i) => {
        const name = `source_${i}`;
        const given = sourceType(input, name, check);
        return [name, infer(source, `${path}.sources[${i}]`, given, edge, check)] as const;
      });
  return infer(
    node.target,
    `${path}.target`,
    record(Object.fromEntries(outputs)),
    { kind: 'merge', index: 0 },
    check,
  );
}

function inferLet(node: LetNode, path: string, input: NType, edge: Edge, check: Checking): NType {
  if (node.bindings.size === 0) check.empty(path, node.op);
  const outputs = [...node.bindings].map(
    ([name, binding]) =>
      [name, infer(binding, childPath(`${path}.bindings`, name), input, edge, check)] as const,
  );
  return infer(
    node.body,
    `${path}.body`,
    scopeType(input, Object.fromEntries(outputs), check),
    { kind: 'let', index: 0 },
    check,
  );
}

const ITEM_ERROR: NType = record({ index: NUMBER, code: TEXT, message: TEXT });

function inferMap(node: MapNode, path: string, input: NType, check: Checking): NType {
  const element = check.solver.fresh();
  const items = typeAt(node.over, `${path}.over`, input, check);
  const reason = items && check.solver.fits(items, list(element));
  if (items && reason !== null) {
    const actual = check.show(items);
    check.problem(
      `${path}.over`,
      'GRAPH_NOT_A_LIST',
      `\`${node.over}\` is ${actual}, expected a List: ${reason}`,
      {
        expected: 'List<Any>',
        actual,
      },
    );
  }
  check.edge({ path: `${path}.over`, from: items ?? ANY, to: list(element), gives: null });
  const inner = scopeType(input, { [node.as]: element }, check);
  const output = infer(node.stage, `${path}.stage`, inner, { kind: 'let', index: 0 }, check);
  return node.on_error === 'fail'
    ? list(output)
    : record({ results: list(output), errors: list(ITEM_ERROR) });
}

function inferProject(node: ProjectNode, path: string, input: NType, check: Checking): NType {
  const fields = [...node.fields].map(([name, field]) => {
    if ('value' in field) return [name, literalType(field.value)] as const;
    return [name, typeAt(field.path, childPath(`${path}.fields`, name), input, check) ?? ANY] as const;
  });
  const gives = record(Object.fromEntries(fields));
  check.edge({ path, from: input, to: ANY, gives });
  return gives;
}

/** The type at a dotted path; a problem and undefined where the input cannot have the field. */
function typeAt(dotted: string, path: string, input: NType, check: Checking): NType | undefined {
  let at = input;
  for (const [i, step] of pathSteps(dotted).entries()) {
    const field = check.solver.fieldOf(at, step);
    if (field === undefined) {
      const known = check.solver.resolve(at);
      const [close = null] = isRecord(known) ? nearest(step, Object.keys(fieldsOf(known))) : [];
      const place = i === 0 ? 'the input' : `\`${pathSteps(dotted).slice(0, i).join('.')}\``;
      const hint = close === null ? '' : `; did you mean \`${close}\`?`;
      const actual = check.show(at);
      check.problem(
        path,
        'GRAPH_FIELD_MISSING',
        `${place} has no field \`${step}\`: it is ${actual}${hint}`,
        {
          expected: `a field \`${step}\``,
          actual,
          nearest: close,
        },
      );
      return undefined;
    }
    at = field;
  }
  return at;
}
