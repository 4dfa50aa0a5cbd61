/**
 * Creates the guests of a CSV file, each with a data disk: bofh run guests-from-csv.ts guests.csv
 *
 * A second run changes nothing. A guest that cannot be created, or that differs from its row, does
 * not stop the others.
 */
import { readFileSync } from 'node:fs';
import { BofhError, ensure, explain } from 'bofh';

const [file = 'guests.csv', source = '/srv/bookworm.tar', vg = 'vg0'] = process.argv.slice(2);

interface Row {
  readonly name: string;
  readonly memory: string;
  readonly size: string;
  /** `0`: no data disk. */
  readonly data: string;
  readonly address: string;
}

function rowsOf(text: string): readonly Row[] {
  const [head = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  if (head !== 'name,memory,size,data,address') throw new Error(`${file}: unknown columns: ${head}`);
  return lines.map((line) => {
    const [name = '', memory = '', size = '', data = '', address] = line.split(',');
    if (address === undefined) throw new Error(`${file}: five columns are needed: ${line}`);
    return { name, memory, size, data, address };
  });
}

/** The guest and its disks are there as asked, or they are created. */
async function ensureGuest({ name, memory, size, data, address }: Row): Promise<boolean> {
  const { changed } = await ensure.vm.create({
    ...{ name, memory, size, vg, source: { type: 'tar', path: source } },
    ...{ ip: address, bridge: 'xenbr0', disks: data === '0' ? {} : { data: { size: data } } },
  });
  return changed;
}

const table: { readonly name: string; readonly result: string; readonly why: string }[] = [];
for (const row of rowsOf(readFileSync(file, 'utf8'))) {
  try {
    table.push({ name: row.name, result: (await ensureGuest(row)) ? 'created' : 'unchanged', why: '' });
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    // Neither the other guests nor a second try would end better.
    if (['interrupted', 'stuck', 'journal'].includes(error.code)) throw error;
    table.push({ name: row.name, result: 'failed', why: explain(error) });
  }
}
console.table(table);
if (table.some(({ result }) => result === 'failed')) process.exitCode = 6;
