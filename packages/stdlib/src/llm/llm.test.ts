import type { Llm } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { llmClassify } from './classify.ts';
import { llmExtract } from './extract.ts';

function says(text: string): { readonly llm: Llm } {
  return { llm: { available: true, complete: async () => ({ text, model: 'm', tokens_used: 1 }) } };
}

const classify = async (text: string) => llmClassify.call({ text: 'x', categories: ['a', 'b'] }, says(text));
const extract = async (text: string) => llmExtract.call({ text: 'x', schema: {} }, says(text));

describe('an answer of a model', () => {
  it.each([
    ['{"category":"b","confidence":1}'],
    ['```json\n{"category": "b", "confidence": 1}\n```'],
    ['It is:\n{"category":"b","confidence":1}.'],
  ])('%j is read', async (text) => {
    expect(await classify(text)).toEqual({ category: 'b', confidence: 1, model: 'm' });
  });

  it.each([
    ['b'],
    [''],
    ['{"category":"c","confidence":1}'],
    ['{"category":"b"}'],
    ['{"category":"b","confidence":2}'],
    ['{"category":"b","confidence":1'],
  ])('%j is refused as a class, and may be asked for again', async (text) => {
    await expect(classify(text)).rejects.toMatchObject({ code: 'LLM_ANSWER_INVALID', retryable: true });
  });

  it('is not asked for where there is no category', async () => {
    await expect(llmClassify.call({ text: 'x', categories: [] }, says(''))).rejects.toMatchObject({
      code: 'LLM_CATEGORIES_EMPTY',
      retryable: false,
    });
  });

  it('holds what was read out, whatever it is', async () => {
    expect(await extract('{"extracted":[1,null]}')).toEqual({ extracted: [1, null], model: 'm' });
    expect(await extract('{"extracted":null}')).toEqual({ extracted: null, model: 'm' });
    await expect(extract('{"other":1}')).rejects.toMatchObject({ code: 'LLM_ANSWER_INVALID' });
  });
});
