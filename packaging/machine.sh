# shellcheck shell=bash
# Brings a machine to where the project can be built. Sourced by packaging/run and tests/run, which set `root`, the
# project's folder. What the machine has is left alone. All that is said goes to the standard error, so that the output
# of the program stays clean.
: "${root:?}"

# What the build links with.
BUILD_PACKAGES=(libasound2-dev libc6-dev)
# What the window loads when it starts: keyboard, Wayland or X11, and a driver to draw with.
WINDOW_PACKAGES=(
    libxkbcommon0 libxkbcommon-x11-0 libwayland-client0 libx11-6 libx11-xcb1 libxcursor1 libxi6 libxrandr2
    libegl1 libgl1 libgl1-mesa-dri mesa-vulkan-drivers
)
# Packages made from Mesa's source, which must be of one version.
MESA_PACKAGES=(mesa-vulkan-drivers libgl1-mesa-dri libegl-mesa0 libglx-mesa0)
# The Mesa that the tests need: Lavapipe with all that the kernels use, and RADV's null devices.
WANTED_MESA=25

say() {
    printf '%s\n' "$*" >&2
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# apt_get ARGUMENT…: apt-get as root, which asks nothing, waits for another one and tries again where the network fails.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >&2
}

# can_install ARGUMENT…: whether packages can be installed here; if not, says the arguments as what root is to run.
can_install() {
    if [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; then
        return 0
    fi
    say "Packages are missing, and there is no sudo to install them with. As root, run:"
    say "    $*"
    return 1
}

# install_packages NAME…: installs those of the Debian packages that are missing.
install_packages() {
    local name missing=()
    for name in "$@"; do
        case "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" in
            installed*) ;;
            *) missing+=("$name") ;;
        esac
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    can_install "apt-get install ${missing[*]}" || return 1
    say "Installing ${missing[*]}"
    # The lists may be old and still good enough, so only a failing install is an error.
    apt_get update || say "apt-get update failed; trying with the lists that are here."
    if ! apt_get install -y --no-install-recommends "${missing[@]}"; then
        say "The packages could not be installed: ${missing[*]}"
        return 1
    fi
}

# mesa_is_wanted VERSION: whether a Debian version of Mesa is new enough for the tests.
mesa_is_wanted() {
    dpkg --compare-versions "$1" ge "$WANTED_MESA"
}

mesa_is_new_enough() {
    mesa_is_wanted "$(dpkg-query -W -f='${Version}' "mesa-vulkan-drivers:$(dpkg --print-architecture)" 2>/dev/null)"
}

# Writes a sources file for the backports of Debian 12, on the mirror and with the key that the machine itself uses.
add_backports() {
    local entry mirror file key
    # shellcheck disable=SC2016 # The names are apt's to fill in.
    entry=$(apt-get indextargets --format '$(REPO_URI) $(SOURCESENTRY)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Codename: bookworm' 'Component: main' | head -n 1)
    if [ -z "$entry" ]; then
        say "No Debian mirror with the suite bookworm was found in /etc/apt, so its backports cannot be added."
        return 1
    fi
    mirror=${entry%% *}
    file=${entry#* }
    key=$(grep -ioE '^[^#]*signed-by[:=] *[^] ]+' "${file%:*}" | grep -oE '/[^ ]+\.(gpg|asc|pgp)$' | head -n 1 || true)
    {
        printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\n' "$mirror"
        [ -z "$key" ] || printf 'Signed-By: %s\n' "$key"
    } | as_root tee /etc/apt/sources.list.d/colloquy-backports.sources >/dev/null
}

# Brings Mesa to the version that the tests need: from the machine's own suites, or from the backports of Debian 12.
# A system without apt is left alone; the tests say themselves what its drivers lack.
prepare_mesa() {
    local own codename suite=()
    command -v apt-get >/dev/null || return 0
    mesa_is_new_enough && return 0
    can_install "bash tests/run" || return 1
    say "Installing Mesa $WANTED_MESA or newer, for the tests"
    apt_get update || say "apt-get update failed; trying with the lists that are here."
    own=$(apt-cache policy mesa-vulkan-drivers | awk '$1 == "Candidate:" { print $2 }')
    if ! mesa_is_wanted "$own"; then
        codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
        if [ "$codename" != bookworm ]; then
            say "The tests need Mesa $WANTED_MESA, and this system offers ${own:-none}. Install a newer one, then start again."
            return 1
        fi
        add_backports || return 1
        apt_get update || say "apt-get update failed; trying with the lists that are here."
        suite=(-t bookworm-backports)
    fi
    if ! apt_get install -y --no-install-recommends "${suite[@]}" "${MESA_PACKAGES[@]}" || ! mesa_is_new_enough; then
        say "Mesa $WANTED_MESA could not be installed; is there a network, and does the Debian mirror hold backports?"
        return 1
    fi
}

# What a system without apt must have before it can build; says what to install where something is missing.
check_other_system() {
    [ "$(uname -s)" = Linux ] || return 0
    if command -v cc >/dev/null && command -v pkg-config >/dev/null && pkg-config --exists alsa; then
        return 0
    fi
    say "This system has no apt-get, so install what the build and the window need yourself, then start again."
    say "    Fedora: sudo dnf install gcc pkgconf-pkg-config alsa-lib-devel libxkbcommon libxkbcommon-x11 \\"
    say "                libwayland-client libX11 libX11-xcb libXcursor libXi libXrandr mesa-vulkan-drivers mesa-libGL mesa-libEGL"
    say "    Arch:   sudo pacman -S --needed base-devel alsa-lib libxkbcommon libxkbcommon-x11 wayland libx11 libxcursor \\"
    say "                libxi libxrandr mesa vulkan-icd-loader, and your card's Vulkan driver (vulkan-radeon, for example)"
    say "    Others: a C compiler, pkg-config and the development files of ALSA; a Vulkan driver for the window"
    return 1
}

# prepare_system [NAME…]: what the build and the window need, and the named Debian packages.
prepare_system() {
    if ! command -v apt-get >/dev/null; then
        check_other_system
        return
    fi
    local packages=("${BUILD_PACKAGES[@]}" "${WINDOW_PACKAGES[@]}" "$@")
    command -v cc >/dev/null || packages+=(gcc)
    command -v pkg-config >/dev/null || packages+=(pkg-config)
    rust_is_new_enough || packages+=(curl ca-certificates)
    install_packages "${packages[@]}"
}

# The oldest Rust that builds the project, from Cargo.toml.
wanted_rust() {
    sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$root/Cargo.toml"
}

rust_is_new_enough() {
    local have
    command -v cargo >/dev/null || return 1
    have=$(rustc --version 2>/dev/null | awk '{ print $2 }')
    [ -n "$have" ] && printf '%s\n%s\n' "$(wanted_rust)" "$have" | sort -V -C
}

# prepare_rust [COMPONENT…]: a Rust that is new enough, through rustup where it is missing or too old.
prepare_rust() {
    local component missing=()
    if ! rust_is_new_enough; then
        say "Installing Rust, which must be $(wanted_rust) or newer"
        if ! command -v rustup >/dev/null; then
            local installer
            installer=$(mktemp)
            curl --proto '=https' --tlsv1.2 -sSf --retry 3 https://sh.rustup.rs -o "$installer" || {
                say "Rust's installer could not be loaded from https://sh.rustup.rs; is there a network?"
                return 1
            }
            RUSTUP_INIT_SKIP_PATH_CHECK=yes sh "$installer" -y --no-modify-path --profile minimal \
                --default-toolchain stable </dev/null >&2 || return 1
            rm -f "$installer"
        else
            rustup toolchain install stable --profile minimal --no-self-update </dev/null >&2 || return 1
        fi
        export RUSTUP_TOOLCHAIN=stable
        hash -r
        rust_is_new_enough || {
            say "Rust $(wanted_rust) or newer is needed, and $(rustc --version) is what could be installed."
            return 1
        }
    fi
    for component in "$@"; do
        cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || missing+=("$component")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    rustup component add "${missing[@]}" </dev/null >&2 || {
        say "cargo lacks ${missing[*]}; install them as your system does."
        return 1
    }
}

# A container may start without HOME; rustup and cargo need it.
export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"
# Rust from rustup goes before an older one of the system.
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
