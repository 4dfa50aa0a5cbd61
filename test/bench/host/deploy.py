from io import StringIO

from pyinfra.operations import apt, files, server, systemd

keys = {
    "alice": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9IKNenA7C5AkYQQbDkb3aCfufpNDKgUCFlvgiju+oR alice",
    "bob": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIbT/YzVx8W+JGb1D4GrLPECcN7NM6q1I5UTyGnjwyrr bob",
    "carol": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk3RfdH/B3AoaT74OPNrYMxSjhvdwsGNOCA72seGl8F carol",
}
data = {"port": 8080, "shops": ["one", "two", "three"]}


def put(path, content, **owned):
    return files.put(
        name=path, src=StringIO(content), dest=path, create_remote_dir=False, **{"mode": "644", **owned}
    )


apt.packages(name="packages", packages=["shop-tools", "shop-data"])
server.group(name="shop", group="shop", gid=2001)
server.group(name="shopkeepers", group="shopkeepers", gid=2002)
for user, key in keys.items():
    server.user(
        name=user,
        user=user,
        home=f"/home/{user}",
        create_home=True,
        shell="/bin/bash",
        groups=["shop", "shopkeepers"],
        public_keys=[key],
        delete_keys=True,
    )
for path, owned in {
    "/etc/shop": {},
    "/etc/shop/conf.d": {},
    "/srv/shop": {},
    "/srv/shop/incoming": {"group": "shop", "mode": "2770"},
    "/usr/local/lib/shop": {},
    "/var/lib/shop": {"group": "shop", "mode": "750"},
}.items():
    files.directory(name=path, path=path, **{"mode": "755", **owned})
for src, dest in {
    "shop.conf.template": "/etc/shop/shop.conf",
    "hosts.conf.template": "/etc/shop/conf.d/hosts.conf",
    "index.html.template": "/srv/shop/index.html",
}.items():
    files.template(name=dest, src=src, dest=dest, mode="644", create_remote_dir=False, **data)
put("/etc/shop/port.conf", "port=8080\n")
put("/etc/shop/conf.d/cache.conf", "cache = 64\n", group="shop", mode="640")
put("/etc/shop/conf.d/tls.conf", "tls = on\n")
put("/etc/logrotate.d/shop", "/var/log/shop.log {\n  weekly\n  missingok\n}\n")
put("/etc/motd", "The shop.\n")
put("/usr/local/lib/shop/serve", "#!/bin/sh\nexec sleep infinity\n", mode="755")
unit = put(
    "/etc/systemd/system/shop.service",
    """[Service]
ExecStartPre=/bin/grep -Eqx port=[0-9]+ /etc/shop/port.conf
ExecStart=/usr/local/lib/shop/serve
[Install]
WantedBy=multi-user.target
""",
)
files.link(name="/etc/shop/pages", path="/etc/shop/pages", target="/srv/shop", create_remote_dir=False)
systemd.service(
    name="shop.service", service="shop.service", running=True, enabled=True, daemon_reload=unit.changed
)
put("/etc/cron.d/shop", "17 3 * * * root /usr/local/lib/shop/serve --once\n")
files.line(name="/etc/profile", path="/etc/profile", line="umask 027")
files.line(
    name="/etc/login.defs", path="/etc/login.defs", line=r"^UMASK\s.*$", replace="UMASK\t\t027"
)
files.line(
    name="journald.conf",
    path="/etc/systemd/journald.conf",
    line=r"^SystemMaxUse=.*$",
    replace="SystemMaxUse=200M",
)
files.link(
    name="/usr/local/bin/shop",
    path="/usr/local/bin/shop",
    target="/usr/local/lib/shop/serve",
    create_remote_dir=False,
)
