import { unmodelled } from '../../options.ts';
import { failed, ok, type ToolModel } from '../answer.ts';

/**
 * visudo (sudo 1.9.13): reports an error at the second word of each line that has no "=" and is no
 * comment.
 */
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
