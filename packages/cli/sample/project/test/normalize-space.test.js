import assert from 'node:assert/strict';
import { test } from 'node:test';

import { normalizeSpace } from '../src/index.js';

test('makes runs of white space one space', () => {
  assert.equal(normalizeSpace(' one \t two\n\nthree '), 'one two three');
});

test('leaves nothing of a text of white space', () => {
  assert.equal(normalizeSpace(' \n\t '), '');
});
