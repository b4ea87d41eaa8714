import { canonicalJson } from '../canonical.ts';
import type { CatalogEntry } from '../ports.ts';
import type { StageRecord } from '../stage-record.ts';
import { NType } from '../types/ntype.ts';
import { typeOfSchema } from '../types/from-schema.ts';
import { resolveReference } from '../graph/resolve.ts';
import type { Stage } from './define-stage.ts';
import { StageError } from './errors.ts';
import { type EffectJson, effectSet, implementationHash, signatureId, stageId } from './identity.ts';

/** A catalogued stage with what the engine reads from its record. */
export interface CatalogStage extends CatalogEntry {
  readonly input: NType;
  readonly output: NType;
  /** In set order: what its id covers. */
  readonly effects: readonly EffectJson[];
  /** What policies and reports go by: the stage's own declaration, where its record keeps an original's. */
  readonly effective_effects: readonly EffectJson[];
}

/** Stages the engine has code for, by every reference a graph may use. */
export interface Catalog {
  readonly entries: readonly CatalogStage[];
  /**
   * The stage an exact id, signature id, unique hex prefix or name refers to.
   * Throws GRAPH_STAGE_UNKNOWN with the nearest names, or GRAPH_STAGE_AMBIGUOUS.
   */
  resolve(reference: string): CatalogStage;
}

/** A stage and where its code came from. */
export interface StageSource {
  readonly stage: Stage;
  /** Path → text of its file and relative imports. */
  readonly archive: Readonly<Record<string, string>>;
  readonly declared?: Declared;
}

/** Facts that keep an original's ids: what is given here is not derived. */
export interface Declared {
  readonly input?: NType;
  readonly output?: NType;
  readonly effects?: readonly EffectJson[];
  readonly implementation_hash?: string;
}

/** Derives types and ids of stages. Throws STAGE_TYPE_UNSUPPORTED or STAGE_NAME_TAKEN. */
export function buildCatalog(sources: readonly StageSource[]): Catalog {
  requireUniqueNames(sources.map(({ stage }) => stage));
  return catalogOf(sources.map((source) => ({ stage: source.stage, record: recordOf(source) })));
}

/** A catalog over stages whose records are known already. */
export function catalogOf(entries: readonly CatalogEntry[]): Catalog {
  const stages = entries.map(({ stage, record, foreign = false }) => ({
    stage,
    record,
    foreign,
    input: NType.parse(record.signature.input),
    output: NType.parse(record.signature.output),
    effects: record.signature.effects.effects as readonly EffectJson[],
    effective_effects: effectSet(stage.effects),
  }));
  return { entries: stages, resolve: (reference) => resolveReference(stages, reference, null).entry };
}

/** The record of a stage: its ids, facts and source. */
export function recordOf({ stage, archive, declared = {} }: StageSource): StageRecord {
  const input = declared.input ?? typeOfSchema(stage.input, stage.name, 'input');
  const output = declared.output ?? typeOfSchema(stage.output, stage.name, 'output');
  const effects = effectSet(declared.effects ?? stage.effects);
  const implementation_hash = declared.implementation_hash ?? implementationHash(archive);
  const facts = { name: stage.name, input, output, effects };
  const examples = JSON.parse(canonicalJson(stage.examples)) as StageRecord['examples'];
  const { capabilities, cost, description, tags } = stage;
  return {
    id: stageId(facts, implementation_hash),
    signature_id: signatureId(facts),
    signature: { input, output, effects: { effects }, implementation_hash },
    name: stage.name,
    capabilities,
    cost,
    description,
    examples,
    lifecycle: 'Active',
    ed25519_signature: null,
    signer_public_key: null,
    tags,
    archive,
  };
}

/** Refuses two stages of one name. Throws STAGE_NAME_TAKEN. */
export function requireUniqueNames(stages: readonly Stage[]): void {
  const seen = new Set<string>();
  for (const { name } of stages) {
    if (seen.has(name)) throw new StageError('STAGE_NAME_TAKEN', { stage: name });
    seen.add(name);
  }
}
