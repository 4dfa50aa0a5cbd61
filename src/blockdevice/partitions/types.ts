import { UsageError } from '../../core/errors.ts';

/**
 * Names for the most common types of gpt (Discoverable Partitions Specification, UEFI 2.10) and
 * dos.
 */
const named: Readonly<Record<string, { readonly gpt: string; readonly dos?: string }>> = {
  linux: { gpt: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', dos: '83' },
  swap: { gpt: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F', dos: '82' },
  lvm: { gpt: 'E6D6D379-F507-44C2-A23C-238F2A3DF928', dos: '8e' },
  raid: { gpt: 'A19D880F-05FC-4D3B-A006-743F0F84911E', dos: 'fd' },
  esp: { gpt: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B', dos: 'ef' },
  'bios-boot': { gpt: '21686148-6449-6E6F-744E-656564454649' },
};

/**
 * Returns the type of a partition in the table, from a name, a GUID, or for dos a number in
 * hexadecimal digits.
 */
export function typeIn(table: 'gpt' | 'dos', text: string): string {
  const known = Object.hasOwn(named, text) ? named[text] : undefined;
  const found = known?.[table] ?? (known === undefined ? given(table, text) : undefined);
  if (found !== undefined) return found;
  const form =
    table === 'gpt' ? 'a GUID' : 'a number in hexadecimal digits, but not that of an extended partition';
  const names = Object.keys(named).filter((name) => named[name]?.[table] !== undefined);
  throw new UsageError(`"${text}" is not a type of a ${table} partition: ${names.join(', ')}, or ${form}`);
}

/** Returns the name of a type, or the type itself. */
export function typeInWords(type: string): string {
  return Object.keys(named).find((name) => [named[name]?.gpt, named[name]?.dos].includes(type)) ?? type;
}

function given(table: 'gpt' | 'dos', text: string): string | undefined {
  if (table === 'gpt')
    return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toUpperCase() : undefined;
  const number = /^(?:0x)?0?(?<digits>[0-9a-f]{1,2})$/i.exec(text)?.groups?.digits?.toLowerCase();
  return number === undefined || number === '0' || isExtended(number) ? undefined : number;
}

/** Whether a type is that of an extended partition; only dos has it. */
export function isExtended(type: string): boolean {
  return ['5', 'f', '85'].includes(type.toLowerCase());
}
