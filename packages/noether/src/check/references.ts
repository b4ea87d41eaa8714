import type { StageNode } from '../graph/ast.ts';
import { childPath } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { ANY, type NType, fieldType, list, record } from '../types/ntype.ts';
import { hasVariables } from '../types/subtype.ts';
import { union } from '../types/union.ts';
import { resolveStage } from './resolve-stage.ts';
import type { Checking } from './state.ts';

/** A stage that a node's config names. */
export interface Callee {
  readonly entry: CatalogStage;
  /** Place of the reference, e.g. `root.config.stage_id`. */
  readonly path: string;
  /** Where in the node's input the value lies it is called on. */
  readonly takes: string | undefined;
  /** What it has to give, with the variables of the node. */
  readonly gives: NType;
  /** Its own types, with variables of its own. */
  readonly taken: NType;
  readonly given: NType;
}

/** Resolves the stages a node's config names; what cannot be resolved is a problem. `gives` is what each reference has to give. */
export function resolveCallees(
  node: StageNode,
  path: string,
  { entry, gives }: { readonly entry: CatalogStage; readonly gives: readonly NType[] },
  check: Checking,
): readonly Callee[] {
  const found = new Map<string, CatalogStage>();
  const callees: Callee[] = [];
  for (const [i, [field, { takes }]] of Object.entries(entry.stage.references ?? {}).entries()) {
    const place = childPath(`${path}.config`, field);
    const texts = literalTexts(node.config, field);
    if (texts === null) {
      check.problem(
        place,
        'GRAPH_REFERENCE_NOT_LITERAL',
        `stage ${entry.record.name} runs the stage \`${field}\` names: give it as a text, or a list of texts, in config`,
        { expected: 'a stage as a literal in config' },
      );
      continue;
    }
    for (const [at, text] of texts) {
      const callee = resolveCallee(text, `${place}${at}`, check);
      if (!callee) continue;
      found.set(text, callee);
      const [taken = ANY, given = ANY] = check.solver.instantiate([callee.input, callee.output]);
      callees.push({ entry: callee, path: `${place}${at}`, takes, gives: gives[i] ?? ANY, taken, given });
    }
  }
  check.callees.set(node, found);
  return callees;
}

/** The texts of a config field, each with its place in it; null when it is neither a text nor a list of texts. */
function literalTexts(
  config: StageNode['config'],
  field: string,
): readonly (readonly [at: string, text: string])[] | null {
  const value: Json = config !== null && Object.hasOwn(config, field) ? (config[field] ?? null) : null;
  if (typeof value === 'string') return [['', value]];
  if (!Array.isArray(value) || value.length === 0) return null;
  const texts = value.filter((item) => typeof item === 'string');
  return texts.length === value.length ? texts.map((text, i) => [`[${i}]`, text] as const) : null;
}

function resolveCallee(text: string, path: string, check: Checking): CatalogStage | null {
  const callee = resolveStage(text, path, 'signature', check);
  if (!callee || !hasReferences(callee)) return callee;
  check.problem(
    path,
    'GRAPH_REFERENCE_NESTED',
    `stage ${callee.record.name} names other stages itself: what those are could not be known before the run`,
    { actual: text },
  );
  return null;
}

/** Whether a stage runs stages that its node's config names. */
export function hasReferences({ stage }: CatalogStage): boolean {
  return stage.references !== undefined && Object.keys(stage.references).length > 0;
}

/** What a stage takes where nothing is known of its input yet: also what the stages it calls take, where itself it takes anything. */
export function takenByCallees(taken: NType, callees: readonly Callee[]): NType {
  return callees.reduce(
    (type, callee) =>
      callee.takes === undefined || hasVariables(callee.taken)
        ? type
        : narrowed(type, stepsOf(callee.takes), callee.taken),
    taken,
  );
}

function narrowed(type: NType, steps: readonly string[], needed: NType): NType {
  const [step, ...rest] = steps;
  if (step === undefined) return type.kind === 'Any' ? needed : type;
  switch (type.kind) {
    case 'List':
      return step === '[]' ? list(narrowed(type.value, rest, needed)) : type;
    case 'Record': {
      const field = fieldType(type.value, step);
      return field === undefined ? type : record({ ...type.value, [step]: narrowed(field, rest, needed) });
    }
    case 'Union':
      return union(type.value.map((variant) => narrowed(variant, steps, needed)));
    default:
      return type;
  }
}

/** Checks what a node hands the stages it calls, and what they give. `arrives` is its input with the config laid over it, if known. */
export function checkCallees(
  stage: string,
  callees: readonly Callee[],
  arrives: NType | null,
  check: Checking,
): void {
  for (const { entry, path, takes, gives, taken, given } of callees) {
    const { name } = entry.record;
    const handed = takes === undefined || arrives === null ? undefined : typeAt(arrives, takes, check);
    if (handed !== undefined) {
      refuse(handed, taken, path, check, (actual, expected) => {
        return `stage ${name} is called on \`${takes}\`, which is ${actual}, and takes ${expected}`;
      });
    }
    refuse(given, gives, path, check, (actual, expected) => {
      return `stage ${name} gives ${actual} where stage ${stage} needs ${expected}`;
    });
  }
}

function refuse(
  given: NType,
  needed: NType,
  path: string,
  check: Checking,
  words: (actual: string, expected: string) => string,
): void {
  const reason = check.solver.fits(given, needed);
  if (reason === null) return;
  const actual = check.show(given);
  const expected = check.show(needed);
  check.problem(path, 'GRAPH_TYPE_MISMATCH', `${words(actual, expected)}: ${reason}`, { expected, actual });
}

/** The type at a path like `items[]` or `a.b[]`; undefined where the input has nothing there, which its own check says. */
function typeAt(input: NType, takes: string, check: Checking): NType | undefined {
  let at: NType | undefined = input;
  for (const step of stepsOf(takes)) {
    if (at === undefined) return undefined;
    at = step === '[]' ? check.solver.elementOf(at) : check.solver.fieldOf(at, step);
  }
  return at;
}

function stepsOf(takes: string): readonly string[] {
  return takes.split(/\.|(?=\[\])/u).filter((step) => step !== '');
}
