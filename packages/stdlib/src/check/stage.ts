import { ANY, type Json } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyObject, AnyResult, AnyValue, fieldOf, mapOf } from '../shape.ts';

/** What the original declares for the answer of a check. */
const CHECK = mapOf(ANY);

/** `check_stage_description`: white space alone is no description. */
export const checkStageDescription = original(
  defineStage({
    name: 'check_stage_description',
    description: 'Checks that the record of a stage describes it.',
    effects: ['Pure'],
    input: AnyValue,
    output: AnyResult,
    examples: [
      { input: { description: 'Adds.' }, output: { passed: true, error: null } },
      { input: { description: ' ' }, output: { passed: false, error: 'the stage has no description' } },
      { input: {}, output: { passed: false, error: 'the stage has no description' } },
    ],
    tags: ['check'],
    run: (stage): Json => {
      const description = fieldOf(stage, 'description');
      return typeof description === 'string' && description.trim() !== ''
        ? { passed: true, error: null }
        : { passed: false, error: 'the stage has no description' };
    },
  }),
  { output: CHECK },
);

/** `check_stage_examples`: a stage without examples passes with a warning. */
export const checkStageExamples = original(
  defineStage({
    name: 'check_stage_examples',
    description: 'Counts the examples of a stage and warns where it has none.',
    effects: ['Pure'],
    input: AnyValue,
    output: AnyResult,
    examples: [
      {
        input: { examples: [{ input: 1, output: 2 }] },
        output: { passed: true, count: 1, warning: null },
      },
      {
        input: { examples: [] },
        output: { passed: true, count: 0, warning: 'the stage has no examples: nothing shows what it does' },
      },
      {
        input: null,
        output: { passed: true, count: 0, warning: 'the stage has no examples: nothing shows what it does' },
      },
    ],
    tags: ['check'],
    run: (stage): Json => {
      const examples = fieldOf(stage, 'examples');
      const count = Array.isArray(examples) ? examples.length : 0;
      const warning = count === 0 ? 'the stage has no examples: nothing shows what it does' : null;
      return { passed: true, count, warning };
    },
  }),
  { output: CHECK },
);

/** The checks a report is made of, in its order. */
const CHECKS = ['hash_check', 'sig_check', 'desc_check', 'examples_check'];

/**
 * `merge_validation_checks`: of a check that passed its warning, of one that did not its error and its warning. A check that is
 * absent, or failed without a word, is an error: the original lets it pass.
 */
export const mergeValidationChecks = original(
  defineStage({
    name: 'merge_validation_checks',
    description: 'Makes one report of the checks of a stage.',
    effects: ['Pure'],
    input: AnyObject,
    output: z.object({
      errors: z.array(z.string()),
      passed: z.boolean(),
      warnings: z.array(z.string()),
    }),
    examples: [
      {
        input: {
          hash_check: { passed: true, error: null },
          sig_check: { passed: true, warning: 'not signed' },
          desc_check: { passed: true, error: null },
          examples_check: { passed: true, warning: null },
        },
        output: { errors: [], passed: true, warnings: ['not signed'] },
      },
      {
        input: {
          hash_check: { passed: false, error: 'another hash' },
          sig_check: { passed: false, warning: 'another signer' },
          desc_check: { passed: true },
          examples_check: { passed: true },
        },
        output: { errors: ['another hash', 'another signer'], passed: false, warnings: [] },
      },
      {
        input: { hash_check: { passed: true }, sig_check: { passed: true }, desc_check: { passed: true } },
        output: { errors: ['examples_check did not pass'], passed: false, warnings: [] },
      },
    ],
    tags: ['check'],
    run: (checks) => {
      const errors: string[] = [];
      const warnings: string[] = [];
      for (const name of CHECKS) {
        const check = fieldOf(checks, name);
        const [error, warning] = ['error', 'warning'].map((field) => wordsOf(fieldOf(check, field)));
        if (fieldOf(check, 'passed') === true) warnings.push(...(warning ?? []));
        else {
          const words = [...(error ?? []), ...(warning ?? [])];
          errors.push(...(words.length === 0 ? [`${name} did not pass`] : words));
        }
      }
      return { errors, passed: errors.length === 0, warnings };
    },
  }),
  { input: CHECK },
);

function wordsOf(value: Json | undefined): readonly string[] {
  return typeof value === 'string' && value !== '' ? [value] : [];
}
