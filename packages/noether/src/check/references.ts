import type { StageNode } from '../graph/ast.ts';
import { childPath } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import type { StageReference } from '../stage/define-stage.ts';
import { ANY, type NType } from '../types/ntype.ts';
import { resolveStage } from './resolve-stage.ts';
import type { Checking } from './state.ts';

/** A node whose stage names other stages, with what flows into it. */
export interface Calling {
  readonly node: StageNode;
  readonly path: string;
  readonly entry: CatalogStage;
  /** The node's input with its config laid over it; null where nothing can be said of it. */
  readonly arrives: NType | null;
  /** What each reference has to give, with the variables of this node. */
  readonly gives: readonly NType[];
}

interface Reference extends StageReference {
  readonly text: string;
  readonly path: string;
}

/** Resolves the stages a node's config names and checks what they are called on and what they give. */
export function checkReferences(calling: Calling, check: Checking): void {
  const { node, path, entry, gives } = calling;
  const found = new Map<string, CatalogStage>();
  for (const [i, [field, reference]] of Object.entries(entry.stage.references ?? {}).entries()) {
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
      const needed = { ...reference, gives: gives[i] ?? ANY, text, path: `${place}${at}` };
      checkCall(calling, callee, needed, check);
    }
  }
  check.callees.set(node, found);
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

function checkCall(calling: Calling, callee: CatalogStage, reference: Reference, check: Checking): void {
  const { record } = callee;
  const [taken = ANY, given = ANY] = check.solver.instantiate([callee.input, callee.output]);
  const { takes, gives = ANY, path } = reference;
  const handed =
    takes === undefined || calling.arrives === null ? undefined : typeAt(calling.arrives, takes, check);
  if (handed !== undefined) {
    const reason = check.solver.fits(handed, taken);
    if (reason !== null) {
      const actual = check.show(handed);
      const expected = check.show(taken);
      const message = `stage ${record.name} is called on \`${takes}\`, which is ${actual}, and takes ${expected}: ${reason}`;
      check.problem(path, 'GRAPH_TYPE_MISMATCH', message, { expected, actual });
    }
  }
  const reason = check.solver.fits(given, gives);
  if (reason === null) return;
  const actual = check.show(given);
  const expected = check.show(gives);
  const message = `stage ${record.name} gives ${actual} where stage ${calling.entry.record.name} needs ${expected}: ${reason}`;
  check.problem(path, 'GRAPH_TYPE_MISMATCH', message, { expected, actual });
}

/** The type at a path like `items[]` or `a.b[]`; undefined where the input has nothing there, which its own check says. */
function typeAt(input: NType, takes: string, check: Checking): NType | undefined {
  let at: NType | undefined = input;
  for (const step of takes.split(/\.|(?=\[\])/u)) {
    if (at === undefined) return undefined;
    if (step === '') continue;
    at = step === '[]' ? check.solver.elementOf(at) : check.solver.fieldOf(at, step);
  }
  return at;
}
