/**
 * An application in Python, behind nginx: bofh host apply app-host.ts
 *
 * The next version: REVISION=v2.2 bofh host apply app-host.ts. If it does not start, the old one still serves.
 */
import { defineHost } from 'bofh';

const { REVISION: revision = 'v2.1', REPOSITORY: git = 'https://git.example.org/shop.git' } = process.env;

export default defineHost((h) => {
  for (const name of ['git', 'python3-venv', 'nginx']) h.package(name);
  // Its data is in its home: a release has none.
  h.user('shop', { system: true, home: '/var/lib/shop' });
  const release = h.release('/srv/shop', {
    git,
    revision,
    build: 'python3 -m venv .venv\n.venv/bin/pip install --quiet --requirement requirements.txt',
    user: 'shop',
    keep: 3,
  });
  const unit = h.file('/etc/systemd/system/shop.service', {
    content: `[Unit]
After=network.target

[Service]
User=shop
WorkingDirectory=/srv/shop/current
ExecStart=/srv/shop/current/.venv/bin/python shop.py 8000

[Install]
WantedBy=multi-user.target
`,
  });
  h.service('shop', { enabled: true, running: true, restartOn: [release, unit] });
  const site = h.file('/etc/nginx/conf.d/shop.conf', {
    content: 'server {\n  listen 8080;\n  location / { proxy_pass http://127.0.0.1:8000; }\n}\n',
  });
  h.service('nginx', { enabled: true, running: true, reloadOn: [site] });
});
