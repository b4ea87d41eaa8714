import type { StageNode } from '../graph/ast.ts';
import type { Stage } from '../stage/define-stage.ts';
import { nearest } from '../types/nearest.ts';
import { wrapKey } from '../run/values.ts';
import { ANY, type Fields, type NType, fieldEntries, fieldType, record } from '../types/ntype.ts';
import { fieldsOf, hasVariables, isRecord } from '../types/subtype.ts';
import { union } from '../types/union.ts';
import { literalType } from '../types/literal.ts';
import { ownFieldMismatch, ownFields } from './own-fields.ts';
import { checkCallees, resolveCallees, takenByCallees } from './references.ts';
import { resolveStage } from './resolve-stage.ts';
import { scopeType } from './scope-type.ts';
import type { Checking, Edge } from './state.ts';

/** The output type of a stage node; resolves the stage, checks config and input. */
export function inferStage(node: StageNode, path: string, input: NType, edge: Edge, check: Checking): NType {
  const entry = resolveStage(node.id, path, node.pinning, check);
  if (!entry) return ANY;
  check.stages.set(node, entry);
  const needed = Object.values(entry.stage.references ?? {}).map((reference) => reference.gives ?? ANY);
  const [taken = ANY, given = ANY, ...gives] = check.solver.instantiate([
    entry.input,
    entry.output,
    ...needed,
  ]);
  const callees = needed.length > 0 ? resolveCallees(node, path, { entry, gives }, check) : [];
  const open = takenByCallees(taken, callees);
  let arrives: NType | null = input;
  if (node.config === null) check.fit(path, input, taken, edge);
  else
    arrives = fitConfig(
      { config: node.config, stage: entry.stage },
      path,
      { input, taken, open, edge },
      check,
    );
  checkCallees(entry.record.name, callees, arrives, check);
  check.edge({ path, from: input, to: taken, gives: given });
  return given;
}

interface Configured {
  readonly config: NonNullable<StageNode['config']>;
  readonly stage: Stage;
}

interface Arriving {
  readonly input: NType;
  readonly taken: NType;
  /** What it takes where nothing is known of the input yet. */
  readonly open: NType;
  readonly edge: Edge;
}

/** Gives the input with the config laid over it; null where nothing is known of it. */
function fitConfig(
  { config, stage }: Configured,
  path: string,
  arriving: Arriving,
  check: Checking,
): NType | null {
  const { input, edge } = arriving;
  const isOpen = check.isOpen(input) && check.solver.shallow(input).kind === 'Var';
  const taken = isOpen ? arriving.open : arriving.taken;
  const literals: Fields = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, literalType(value)]),
  );
  if (isRecord(taken))
    checkLiterals(
      literals,
      fieldsOf(taken),
      { path, stage, config, open: taken.kind === 'RecordWith' },
      check,
    );
  // A literal is reported once, by itself: what is left to fit are the other fields.
  const rest = isRecord(taken) ? withFields(taken, without(fieldsOf(taken), literals)) : taken;
  const laid = scopeType(input, literals, check);
  if (isOpen) {
    const bare = bareField(rest, wrapKey(config));
    if (bare === ANY) return null;
    // What has variables of its own takes the literals too.
    const arrives = hasVariables(taken) ? laid : input;
    check.fit(path, arrives, bare === null ? rest : union([rest, bare]), edge);
    return laid;
  }
  const arrives = check.mayBeObject(input) ? laid : record({ [wrapKey(config)]: input, ...literals });
  check.fit(path, arrives, rest, edge);
  return arrives;
}

function withFields(type: NType & { kind: 'Record' | 'RecordWith' }, fields: Fields): NType {
  return type.kind === 'Record' ? record(fields) : { kind: 'RecordWith', value: { ...type.value, fields } };
}

/**
 * A lone field may come bare, wrapped under its key: the type of what may come so. Any where nothing can be asked of the
 * input then, null where nothing may.
 */
function bareField(rest: NType, key: string): NType | null {
  const [only, ...others] = rest.kind === 'Record' ? fieldEntries(rest.value) : [];
  if (!only || others.length > 0 || only[0] !== key) return null;
  const [, type] = only;
  const variants = type.kind === 'Union' ? type.value : [type];
  if (variants.some((variant) => variant.kind === 'Any' || hasVariables(variant))) return ANY;
  const bare = variants.filter((variant) => !isRecord(variant) && variant.kind !== 'Map');
  return bare.length === 0 ? null : union(bare);
}

function without(fields: Fields, taken: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => fieldType(taken, name) === undefined));
}

function checkLiterals(
  literals: Fields,
  fields: Fields,
  at: Configured & { readonly path: string; readonly open: boolean },
  check: Checking,
): void {
  for (const [name, literal] of Object.entries(literals)) {
    const expected = fieldType(fields, name);
    const place = `${at.path}.config.${name}`;
    if (expected === undefined) {
      if (!at.open) checkOwnField(name, Object.keys(fields), { ...at, place }, check);
      continue;
    }
    const reason = check.solver.fits(literal, expected);
    if (reason === null) continue;
    const facts = { expected: check.show(expected), actual: check.show(literal) };
    check.problem(
      place,
      'GRAPH_CONFIG_INVALID',
      `config \`${name}\` of stage ${at.stage.name}: ${reason}`,
      facts,
    );
  }
}

/** A literal for no field of the declared type: one of the stage's own, or a slip. */
function checkOwnField(
  name: string,
  declared: readonly string[],
  { stage, config, place }: Configured & { readonly place: string },
  check: Checking,
): void {
  const reason = ownFieldMismatch(stage, name, config[name] ?? null);
  if (reason === null) return;
  if (reason !== undefined) {
    check.problem(place, 'GRAPH_CONFIG_INVALID', `config \`${name}\` of stage ${stage.name}: ${reason}`);
    return;
  }
  const [close] = nearest(name, [...new Set([...declared, ...ownFields(stage)])]);
  const meant = close === undefined ? '' : `; did you mean \`${close}\`?`;
  check.warn(place, `stage ${stage.name} has no input \`${name}\`${meant}`);
}
