import type { StageNode } from '../graph/ast.ts';
import { nearest } from '../types/nearest.ts';
import { wrapKey } from '../run/values.ts';
import { ANY, type Fields, type NType, fieldType, record } from '../types/ntype.ts';
import { fieldsOf, isRecord } from '../types/subtype.ts';
import { literalType } from '../types/literal.ts';
import { checkReferences } from './references.ts';
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
  let arrives: NType | null = input;
  if (node.config === null) check.fit(path, input, taken, edge);
  else
    arrives = fitConfig(
      { config: node.config, stage: entry.record.name },
      path,
      { input, taken, edge },
      check,
    );
  if (needed.length > 0) checkReferences({ node, path, entry, arrives, gives }, check);
  check.edge({ path, from: input, to: taken, gives: given });
  return given;
}

interface Configured {
  readonly config: NonNullable<StageNode['config']>;
  readonly stage: string;
}

interface Arriving {
  readonly input: NType;
  readonly taken: NType;
  readonly edge: Edge;
}

/** Gives the input with the config laid over it; null where nothing is known of it. */
function fitConfig(
  { config, stage }: Configured,
  path: string,
  arriving: Arriving,
  check: Checking,
): NType | null {
  const { input, taken, edge } = arriving;
  const literals: Fields = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, literalType(value)]),
  );
  if (isRecord(taken))
    checkLiterals(literals, fieldsOf(taken), { path, stage, open: taken.kind === 'RecordWith' }, check);
  // A literal is reported once, by itself: what is left to fit are the other fields.
  const rest = isRecord(taken) ? record(without(fieldsOf(taken), literals)) : taken;
  if (check.isOpen(input) && check.solver.shallow(input).kind === 'Var') {
    // A lone field may come bare, wrapped under its key: nothing can be asked of the input then.
    const [only, ...others] = isRecord(rest) ? Object.keys(fieldsOf(rest)) : [];
    if (others.length === 0 && only === wrapKey(config)) return null;
    check.fit(path, input, rest, edge);
    return scopeType(input, literals, check);
  }
  const arrives = check.mayBeObject(input)
    ? scopeType(input, literals, check)
    : record({ [wrapKey(config)]: input, ...literals });
  check.fit(path, arrives, rest, edge);
  return arrives;
}

function without(fields: Fields, taken: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => fieldType(taken, name) === undefined));
}

function checkLiterals(
  literals: Fields,
  fields: Fields,
  at: { readonly path: string; readonly stage: string; readonly open: boolean },
  check: Checking,
): void {
  for (const [name, literal] of Object.entries(literals)) {
    const expected = fieldType(fields, name);
    const place = `${at.path}.config.${name}`;
    if (expected === undefined) {
      if (at.open) continue;
      const [close] = nearest(name, Object.keys(fields));
      check.warn(
        place,
        `stage ${at.stage} has no input \`${name}\`${close === undefined ? '' : `; did you mean \`${close}\`?`}`,
      );
      continue;
    }
    const reason = check.solver.fits(literal, expected);
    if (reason === null) continue;
    const facts = { expected: check.show(expected), actual: check.show(literal) };
    check.problem(place, 'GRAPH_CONFIG_INVALID', `config \`${name}\` of stage ${at.stage}: ${reason}`, facts);
  }
}
