import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { defineHost, provision, Secret, type TemplateRequest } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

let work = '';
let host: SimulatedHost;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-template-'));
  mkdirSync(join(work, 'templates'));
  host = simulatedHost();
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const at = (name: string): string => join(work, 'templates', name);

const apply = (text: string, data?: TemplateRequest['data'], more: Partial<TemplateRequest> = {}) => {
  writeFileSync(at('web.liquid'), text);
  const request = { file: at('web.liquid'), ...(data === undefined ? {} : { data }), ...more };
  return withBofh(simulatedBofh({ host }), () =>
    provision.apply(defineHost((h) => h.template('/etc/web.conf', request))),
  );
};

it('writes what the template returns, and nothing the second time', async () => {
  const template = `server {{ name | upcase }};\n{% for port in ports -%}\nlisten {{ port }};\n{% endfor %}{% if ssl %}ssl on;\n{% endif %}`;
  const data = { name: 'photos', ports: [80, 443], ssl: false };
  expect(await apply(template, data, { mode: 0o640 })).toMatchObject([
    { action: 'create', kind: 'file', name: '/etc/web.conf', details: ['mode 0640'] },
  ]);
  expect(host.admin.readFile('/etc/web.conf')).toBe('server PHOTOS;\nlisten 80;\nlisten 443;\n');
  expect(await apply(template, data, { mode: 0o640 })).toEqual([]);
  expect(await apply('{{ name }}\n', data)).toMatchObject([{ action: 'change', kind: 'file' }]);
});

it('finds a template beside the file that names it', async () => {
  await expect(apply('', {}, { file: './none.liquid' })).rejects.toThrow(
    `there is no template ${import.meta.dirname}/none.liquid`,
  );
});

it('includes templates of its directory and of those below it', async () => {
  mkdirSync(at('parts'));
  writeFileSync(at('parts/a.liquid'), '<{{ name }}>{% include "./b.liquid" %}');
  writeFileSync(at('parts/b.liquid'), 'b{{ name }}\n');
  await apply('{% include "parts/a.liquid" %}{% render "parts/b.liquid", name: 2 %}', { name: 1 });
  expect(host.admin.readFile('/etc/web.conf')).toBe('<1>b1\nb2\n');
});

it('keeps a secret out of the plan', async () => {
  const changes = await apply('password {{ db.password }}\n', { db: { password: new Secret('Geheim-7f') } });
  expect(changes).toEqual([
    { action: 'create', kind: 'file', name: '/etc/web.conf', details: ['mode 0600', 'secret content'] },
  ]);
  expect(host.admin.readFile('/etc/web.conf')).toBe('password Geheim-7f\n');
});

it.each([
  ['an unknown variable', 'a\n{{ nope }}', ':2: undefined variable: nope'],
  ['an unknown variable in a condition', '{% if nope %}{% endif %}', ':1: undefined variable: nope'],
  ['an unknown key', '{{ db.nope }}', ':1: undefined variable: db.nope'],
  ['the prototype of a value', '{{ name.constructor }}', ':1: undefined variable: name.constructor'],
  ['an unknown filter', '\n\n{{ name | nope }}', ':3: undefined filter: nope'],
  ['an unknown tag', '{% nope %}', ':1: tag "nope" not found'],
  ['an open tag', '{% if name %}', ':1: tag {% if name %} not closed'],
  ['an array as text', '{{ list }}', ':1: this is an array: use a loop, or a filter such as join or json'],
  ['an object as text', '{{ db }}', ':1: this is an object: use a loop'],
  ['a file above its directory', '{% include "../out.liquid" %}', ':1: there is no template "../out.liquid"'],
  ['a file elsewhere', '{% include "/etc/passwd" %}', ':1: there is no template "/etc/passwd"'],
  ['a link that leads out', '{% include "link.liquid" %}', ':1: there is no template "link.liquid"'],
  ['a loop without end', '{% for i in (1..2000000000) %}{% endfor %}', ':1: memory alloc limit exceeded'],
])('refuses %s with file and line, and changes nothing', async (_, text, message) => {
  writeFileSync(join(work, 'out.liquid'), 'out');
  symlinkSync(join(work, 'out.liquid'), at('link.liquid'));
  const before = host.snapshot();
  const error = await rejectionOf(apply(text, { name: 'a', list: [1], db: { port: 1 } }));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(`${at('web.liquid')}${message}`);
  expect([host.snapshot(), host.changes]).toEqual([before, []]);
});

it('names the included file of an unknown variable', async () => {
  writeFileSync(at('part.liquid'), '\n{{ nope }}');
  await expect(apply('{% include "part.liquid" %}')).rejects.toThrow(
    `${at('part.liquid')}:2: undefined variable: nope`,
  );
});

it.each([
  ['a function', { names: [1, () => 1] }, 'data.names[1] is Function'],
  ['a date', { day: new Date(0) }, 'data.day is Date'],
])('refuses data with %s', async (_, data, message) => {
  await expect(apply('', data as never)).rejects.toThrow(message);
});

it('refuses a template with other bytes than UTF-8', async () => {
  writeFileSync(at('latin1.liquid'), Buffer.from([0xe4]));
  await expect(apply('{% include "latin1.liquid" %}')).rejects.toThrow('latin1.liquid is not UTF-8');
});

it.runIf(process.getuid?.() === 0)('refuses as root a template that others can write', async () => {
  writeFileSync(at('open.liquid'), '');
  chmodSync(at('open.liquid'), 0o666);
  await expect(apply('', {}, { file: at('open.liquid') })).rejects.toThrow('open.liquid is refused: ');
});
