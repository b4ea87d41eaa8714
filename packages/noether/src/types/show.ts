import { type NType, type Refinement, fieldEntries } from './ntype.ts';

const shown = new WeakMap<NType, string>();

/** A type as people read it: `Record { a: Text, b: List<Number> }`. Types never change: each is put into words once. */
export function show(type: NType): string {
  const known = shown.get(type);
  if (known !== undefined) return known;
  const text = words(type);
  shown.set(type, text);
  return text;
}

function words(type: NType): string {
  switch (type.kind) {
    case 'List':
    case 'Stream':
      return `${type.kind}<${show(type.value)}>`;
    case 'Map':
      return `Map<${show(type.value.key)}, ${show(type.value.value)}>`;
    case 'Record':
      return `Record { ${fieldEntries(type.value).map(showField).join(', ')} }`;
    case 'Union':
      return type.value.map(show).join(' | ');
    case 'Var':
      return `<${type.value}>`;
    case 'RecordWith': {
      const fields = [...fieldEntries(type.value.fields).map(showField), `...<${type.value.rest}>`];
      return `Record { ${fields.join(', ')} }`;
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

function showField([name, type]: readonly [string, NType]): string {
  return `${name}: ${show(type)}`;
}
