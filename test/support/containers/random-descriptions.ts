import { beforeAll, expect, test } from 'vitest';
import { publish } from './debs.ts';
import type { Shell } from './docker.ts';
import { draw, type Trial } from './draw-description.ts';
import { prepareWholeHost } from './whole-host.ts';

const many = process.env['BOFH_HOST_TRIALS'];
/** Sequences that begin. A description that is refused, or has nothing to do, is not counted. */
const trials = Number(many ?? 3);
/** `npm test` has the same ones each time. */
const usual = 440_417_167;
const first = Number(
  process.env['BOFH_SEED'] ?? (many === undefined ? usual : Math.floor(Math.random() * 2 ** 30)),
);

/** Runs a program and kills it by SIGKILL once its journal has so many lines. */
const killer = `
const { spawn } = require('node:child_process');
const { readdirSync, readFileSync } = require('node:fs');
const [lines, program, ...argv] = process.argv.slice(2);
const child = spawn(program, argv, { stdio: 'inherit' });
let ended = false;
child.on('exit', (code, signal) => { ended = true; process.exitCode = signal === null ? code : 137; });
const at = '/var/lib/bofh/journal';
const names = () => readdirSync(at).filter((name) => name.endsWith('.journal'));
let before = [];
try {
  before = names();
} catch {}
(function look() {
  if (ended) return;
  let most = 0;
  try {
    for (const name of names())
      if (!before.includes(name)) most = Math.max(most, readFileSync(at + '/' + name, 'latin1').split('\\n').length - 1);
  } catch {}
  if (most >= Number(lines)) child.kill('SIGKILL');
  else setImmediate(look);
})();
`;

const made = `
mkdir -p /srv/r/a /srv/r/b /etc/r
echo one >/srv/r/a/one; printf 'first\\r\\nmiddle\\r\\nlast' >/etc/r/lines; printf 'first\\nlast\\n' >/etc/r/main.conf
echo acl >/etc/r/acl; setfacl -m u:daemon:r /etc/r/acl; setfattr -n user.note -v mine /etc/r/acl
setfattr -n trusted.bytes -v 0sAP8B /srv/r/a; setfattr -n user.other -v theirs /srv/r/a
echo twice >/etc/r/twice; ln /etc/r/twice /srv/r/twice
cp /bin/true /etc/r/capable; setcap cap_net_raw=ep /etc/r/capable; chown 33:33 /srv/r/b
printf '# ours\\nserver:\\n  port: 8080 # web\\n  debug: true\\n' >/etc/r/app.yaml
printf '{\\n  "a": { "b": 2, "x": 1 }\\n}\\n' >/etc/r/app.json
printf '# pool\\n[database]\\npool = 5\\n' >/etc/r/app.toml
printf '[web]\\nport = 8080\\n; done\\n' >/etc/r/app.ini
groupadd r-team; useradd -m -G r-team -s /bin/bash r-old
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/r-daemon.service
printf '[Service]\\nExecStart=/bin/false\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/r-dies.service
printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' | tee /etc/systemd/system/r-timer.service >/etc/systemd/system/r-socket@.service
printf '[Timer]\\nOnCalendar=yearly\\n[Install]\\nWantedBy=timers.target\\n' >/etc/systemd/system/r-timer.timer
printf '[Socket]\\nListenStream=/run/r.socket\\nAccept=yes\\n[Install]\\nWantedBy=sockets.target\\n' >/etc/systemd/system/r-socket.socket
systemctl daemon-reload
`;

/**
 * Tests of descriptions, random and interrupted at random, on a host that the ones before left: each leaves it as it
 * was before, or as described. `secondsEach` is the time limit of one.
 */
export function testRandomDescriptions(
  machine: Shell,
  { suite, secondsEach }: { readonly suite: string; readonly secondsEach: number },
): void {
  let whole = '';
  const ended = new Map<string, number>();

  beforeAll(async () => {
    await publish(machine, [
      { name: 'lamp-lib', version: '1.0' },
      { name: 'lamp-extra', version: '1.0' },
      { name: 'lamp', version: '1.0', depends: 'lamp-lib' },
      { name: 'lamp', version: '2.0', depends: 'lamp-lib, lamp-extra' },
      { name: 'dark', version: '1.0', conflicts: 'lamp' },
      { name: 'broken', version: '1.0', depends: 'lamp-lib', scripts: { postinst: 'exit 1' } },
    ]);
    // A timer that fires meanwhile changes the list of units.
    await machine.must("systemctl stop '*.timer'");
    await machine.must(made);
    await machine.put('/root/kill.cjs', killer);
    whole = await prepareWholeHost(machine);
    await machine.must(`${whole}; whole /root/before`);
  });

  test(`${String(trials)} descriptions from seed ${String(first)}`, {
    timeout: secondsEach * 1000 * trials + 300_000,
  }, async () => {
    for (let seed = first, begun = 0; begun < trials; seed += 1) {
      if (seed === first + 10 * trials) throw new Error('nearly every description is refused');
      const found = await trial(await draw(seed)).catch((error: unknown) => {
        throw new Error(`seed ${String(seed)}`, { cause: error });
      });
      ended.set(found, (ended.get(found) ?? 0) + 1);
      if (found !== 'exit 1, as before' && found !== 'finished, nothing to do') begun += 1;
    }
    console.log(suite, Object.fromEntries(ended));
  });

  /** How it ended. An error shows the description, and what differs. */
  async function trial({ lines, fault, prune }: Trial): Promise<string> {
    const calls: string[] = [...lines];
    if (fault.kind === 'fail')
      calls.splice(fault.at, 0, `h.script('fails', { isDone: 'exit 1', run: 'exit 3', undo: 'true' });`);
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';\nexport default defineHost((h) => {\n${calls.join('\n')}\n});\n`,
    );
    const apply = `bofh --yes host apply /root/host.ts --confirm off${prune ? ' --prune' : ''}`;
    const asked = fault.kind === 'kill' ? `node /root/kill.cjs ${String(fault.afterLines)} ${apply}` : apply;
    const report = await machine.run(
      `${whole}; set +e; ${asked}; echo "apply: $?"
       bofh journal list --json | grep -q '"state": *"\\(interrupted\\|orphan\\)"' && { bofh --yes recover; echo "recover: $?"; }
       whole /root/after; diff /root/before /root/after >/root/changed && echo unchanged
       bofh journal list >/root/journals; echo "open: $(bofh journal list --json | grep -c '"state": *"\\(interrupted\\|orphan\\|unknown\\)"')"`,
    );
    const said = (what: string): string | undefined =>
      new RegExp(`^${what}: (?<code>\\d+)$`, 'm').exec(report.text)?.groups?.['code'];
    const isUnchanged = /^unchanged$/m.test(report.text);
    const wrong = async (why: string): Promise<never> => {
      const changed = await machine.run('cat /root/changed; bofh journal list | head -3');
      throw new Error(
        [why, ...calls, JSON.stringify({ fault, prune }), report.text, changed.text].join('\n'),
      );
    };
    // Done; refused; failed or interrupted, and rolled back; killed by the test. Anything else needs a look, above
    // all 70: output that could not be parsed, or a bug.
    if (!['0', '1', '5', '137'].includes(said('apply') ?? '')) return wrong('an unexpected exit code');
    if (said('open') !== '0') return wrong('a sequence is unfinished');
    if (!['0', undefined].includes(said('recover'))) return wrong('bofh recover failed');
    const hasFinished = said('apply') === '0';
    if (isUnchanged) {
      if (said('recover') !== undefined) return 'killed, as before';
      if (!hasFinished) return `exit ${said('apply') ?? ''}, as before`;
      if (report.text.includes('the host is as described')) return 'finished, nothing to do';
      return wrong('it reports changes, and the host is as before');
    }
    if (!hasFinished && said('apply') !== '137') return wrong('it failed, and the host has changed');
    const plan = await machine.run('bofh host plan /root/host.ts');
    if (!plan.text.startsWith('the host is as described\n')) return wrong(`not as described: ${plan.text}`);
    if (fault.kind === 'none' && fault.undo) {
      const undone = await machine.run(
        `${whole}; id=$(bofh journal list --json | node -e 'const all = JSON.parse(require("fs").readFileSync(0)); console.log(all.toSorted((a, b) => a.at < b.at ? 1 : -1)[0].id)')
         bofh --yes undo "$id" && echo undone; whole /root/undone; diff /root/before /root/undone >/root/changed && echo as-before
         diff /root/after /root/undone >/dev/null && echo as-after`,
      );
      if (/^undone$/m.test(undone.text))
        return /^as-before$/m.test(undone.text) ? 'undone later' : wrong(`not as before: ${undone.text}`);
      if (!/^as-after$/m.test(undone.text)) return wrong(`bofh undo changed something: ${undone.text}`);
      await machine.must('mv /root/after /root/before');
      return 'finished, bofh undo refuses';
    }
    await machine.must('mv /root/after /root/before');
    return hasFinished ? 'finished' : 'killed, finished';
  }

  test('the host has no leftovers of bofh', async () => {
    expect(
      await machine.must(
        `find / -xdev -name '*.bofh-*'; find /var/lib/bofh -type f -not -path '/var/lib/bofh/journal/*'`,
      ),
    ).toBe('');
  });
}
