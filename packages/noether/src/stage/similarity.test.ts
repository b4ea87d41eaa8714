import { expect, it } from 'vitest';

import type { StageRecord } from '../stage-record.ts';
import { nearDuplicates, searchRecords, textSimilarity } from './similarity.ts';
import { readStageSpec } from './spec.ts';

function stage(name: string, description: string, changes: object = {}): StageRecord {
  const spec = {
    name,
    description,
    input: 'Text',
    output: 'Text',
    implementation: 'def execute(v):\n    return v',
  };
  return readStageSpec({ ...spec, ...changes }, name).record;
}

it('texts resemble each other by their words, in any order and case', () => {
  expect(textSimilarity('Turns text upside down', 'upside DOWN turns, text!')).toBeCloseTo(1);
  expect(textSimilarity('Turns text upside down', 'Sums numbers')).toBe(0);
  expect(textSimilarity('', 'a')).toBe(0);
});

it('a double says almost the same under another name; a new version of the same signature is none', () => {
  const records = [
    stage('upper', 'Makes every letter of a text large.'),
    stage('count', 'Makes every letter of a text large.', { output: 'Number' }),
    { ...stage('gone', 'Makes every letter of a text large.'), lifecycle: 'Tombstone' as const },
    stage('other', 'Counts the words.'),
  ];
  const added = stage('shout', 'Makes every letter of a text large');

  expect(
    nearDuplicates(records, added)
      .map(({ record, same_types }) => `${record.name} ${String(same_types)}`)
      .toSorted(),
  ).toEqual(['count false', 'upper true']);
  expect(
    nearDuplicates(records, stage('upper', 'Makes every letter of a text large.')).map(
      ({ record }) => record.name,
    ),
  ).toEqual(['count']);
});

it('stages are found by words of name, description, tags, aliases and examples, the name counting most', () => {
  const records = [
    stage('split', 'Cuts a text.', { tags: ['strings'] }),
    stage('cut', 'Makes pieces.', { aliases: ['divide'] }),
    stage('sum', 'Adds numbers.'),
  ];

  expect(searchRecords(records, 'cut').map(({ record }) => record.name)).toEqual(['cut', 'split']);
  expect(searchRecords(records, 'divide')[0]?.record.name).toBe('cut');
  expect(searchRecords(records, 'strings')[0]?.record.name).toBe('split');
  expect(searchRecords(records, 'nothing')).toEqual([]);
  // A word within another is a weaker hit than the word.
  const near = [stage('fetch_context', 'Reads things.'), stage('join', 'Joins a text to another.')];
  expect(searchRecords(near, 'text').map(({ record }) => record.name)).toEqual(['join', 'fetch_context']);
});
