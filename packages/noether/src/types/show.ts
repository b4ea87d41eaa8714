import { type NType, type Refinement, fieldEntries } from './ntype.ts';

const shown = new WeakMap<NType, string>();

/** Longest words for a type, characters: parts that many types share can make them grow without end. */
const MAX_WORDS = 200_000;

/**
 * A type as people read it: `Record { a: Text, b: List<Number> }`. Types never change: each is put into words once. One
 * whose words were longer than 200,000 characters is its kind and `…`.
 */
export function show(type: NType): string {
  const known = shown.get(type);
  if (known !== undefined) return known;
  const full = words(type);
  const text = full === null || full.length > MAX_WORDS ? `${type.kind}<…>` : full;
  shown.set(type, text);
  return text;
}

/** Null: longer than anybody reads. */
function words(type: NType): string | null {
  switch (type.kind) {
    case 'List':
    case 'Stream':
      return `${type.kind}<${show(type.value)}>`;
    case 'Map':
      return `Map<${show(type.value.key)}, ${show(type.value.value)}>`;
    case 'Record':
      return showFields(fieldEntries(type.value).map(showField));
    case 'Union':
      return joined(type.value.map(show), ' | ');
    case 'Var':
      return `<${type.value}>`;
    case 'RecordWith': {
      const fields = [...fieldEntries(type.value.fields).map(showField), `...<${type.value.rest}>`];
      return showFields(fields);
    }
    case 'Refined':
      return `${show(type.value.base)} | ${showRefinement(type.value.refinement)}`;
    case 'Any':
    case 'Bool':
    case 'Bytes':
    case 'Null':
    case 'Number':
    case 'Text':
    case 'VNode':
      return type.kind;
  }
}

/** A refinement as people read it: `Range(0..=100)`, `OneOf["a", 1]`, `NonEmpty`. */
export function showRefinement(refinement: Refinement): string {
  switch (refinement.kind) {
    case 'Range': {
      const { min, max } = refinement;
      return `Range(${min ?? ''}..${max === undefined ? '' : `=${String(max)}`})`;
    }
    case 'OneOf':
      return `OneOf[${refinement.options.map((option) => JSON.stringify(option)).join(', ')}]`;
    case 'NonEmpty':
      return 'NonEmpty';
  }
}

function showFields(fields: readonly string[]): string | null {
  const text = joined(fields, ', ');
  return text === null ? null : `Record { ${text} }`;
}

function joined(parts: readonly string[], between: string): string | null {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return length > MAX_WORDS ? null : parts.join(between);
}

function showField([name, type]: readonly [string, NType]): string {
  return `${name}: ${show(type)}`;
}
