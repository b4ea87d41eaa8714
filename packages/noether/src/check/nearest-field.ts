import { nearest } from '../types/nearest.ts';
import { type Fields, type NType, fieldEntries, fieldType, isNullable } from '../types/ntype.ts';
import { fieldsOf, isRecord, isSubtype } from '../types/subtype.ts';

/**
 * The field of what is given that was probably meant where a type does not fit: one of a near name for a field that is
 * missing, else the only spare one whose type fits. Null when nothing suggests itself. Both types are without variables.
 */
export function nearestField(given: NType, taken: NType): string | null {
  if (given.kind === 'Refined') return nearestField(given.value.base, taken);
  if (!isRecord(given)) return null;
  const fields = fieldsOf(given);
  if (!isRecord(taken)) return onlyFitting(fields, Object.keys(fields), taken);
  const needed = fieldsOf(taken);
  const spare = Object.keys(fields).filter((name) => fieldType(needed, name) === undefined);
  for (const [name, type] of fieldEntries(needed)) {
    const found = fieldType(fields, name);
    if (found === undefined ? isNullable(type) : isSubtype(found, type)) continue;
    const near = found === undefined ? nearest(name, spare)[0] : nearestField(found, type);
    return near ?? onlyFitting(fields, spare, type);
  }
  return null;
}

/** The one of the names whose field has the type; null when none or several have. What may be anything says nothing. */
function onlyFitting(fields: Fields, names: readonly string[], type: NType): string | null {
  if (type.kind === 'Any' || isNullable(type)) return null;
  const fitting = names.filter((name) => {
    const field = fieldType(fields, name);
    return field !== undefined && field.kind !== 'Any' && isSubtype(field, type);
  });
  return fitting.length === 1 ? (fitting[0] ?? null) : null;
}
