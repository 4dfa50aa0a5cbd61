import { unmodelled } from '../../options.ts';
import { failed, ok, type ToolModel } from '../answer.ts';

/** visudo (sudo 1.9.13): a line without "=" that is no comment is wrong, at its second word. */
export const sudoersTool: ToolModel = (call) => {
  if (call.argv.join(' ') !== '--check --file=-') throw unmodelled(call, 'it checks its input');
  const lines = (call.stdin ?? '').split('\n');
  const at = lines.findIndex((line) => /^[^#@\s]/.test(line) && !line.includes('='));
  if (at < 0) return ok('stdin: parsed OK\n');
  const line = lines[at] ?? '';
  const column = line.split(' ').slice(0, 2).join(' ').length + 2;
  const mark = '^~~~'.padStart(column + 3);
  return failed(1, `stdin:${String(at + 1)}:${String(column)}: syntax error\n${line}\n${mark}`);
};
