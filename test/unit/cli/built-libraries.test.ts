import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bofh } from './support/built.ts';

it('the build has the libraries that only some descriptions load', async () => {
  const work = mkdtempSync(join(tmpdir(), 'bofh-built-'));
  try {
    writeFileSync(join(work, 'a.liquid'), 'port {{ port }}\n');
    writeFileSync(
      join(work, 'web.ts'),
      `import { defineHost } from 'bofh';
      export default defineHost((h) => {
        h.template('${work}/a.conf', { file: './a.liquid', data: { port: 80 } });
        for (const syntax of ['yaml', 'json', 'toml', 'ini']) h.edit('${work}/a.' + syntax, { [syntax]: { a: { b: 1 } } });
      });`,
    );
    const { stdout, stderr } = await bofh(['host', 'plan', join(work, 'web.ts'), '--diff']);
    expect(stderr).toBe('');
    const added = stdout.split('\n').filter((line) => /^\+(?!\+)/.test(line));
    expect(added).toEqual([
      '+port 80',
      ...['+a:', '+  b: 1', '+{', '+  "a": {', '+    "b": 1', '+  }', '+}'],
      ...['+[a]', '+b = 1', '+[a]', '+b = 1'],
    ]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
