import { type Declared, originalHash, type Stage, stageKit } from '@caloron/noether/stage';
import type { CaloronCapabilities } from '@caloron/types';

/** `defineStage` bound to the capabilities a stage of the library can ask for. */
export const defineStage = stageKit<CaloronCapabilities>();

/** A stage of the library. `declared` holds the facts of the original of the same name that give it the original's ids. */
export type LibraryStage = Stage & { readonly declared?: Declared };

/**
 * Gives a stage the ids of Noether's stage of the same name. `declared` names what the original promised where the stage's own
 * schemas and effects say something else: ids go by it, policies and reports by the stage itself.
 */
export function original<S extends Stage>(
  stage: S,
  declared: Omit<Declared, 'implementation_hash'> = {},
): S & { readonly declared: Declared } {
  const implementation_hash = originalHash(stage.name);
  return Object.freeze<object>({ ...stage, declared: { ...declared, implementation_hash } }) as S & {
    readonly declared: Declared;
  };
}

/**
 * Gives a stage types its zod schemas cannot say, such as variables: `List<<T>> -> <T>`. What is left out is derived from the schema.
 * The schemas must take and give every value of these types.
 */
export function typed<S extends Stage>(
  stage: S,
  declared: Pick<Declared, 'input' | 'output'>,
): S & { readonly declared: Declared } {
  return Object.freeze<object>({ ...stage, declared }) as S & { readonly declared: Declared };
}
