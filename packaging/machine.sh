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
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        say "These packages are missing, and there is no sudo to install them with. As root, run:"
        say "    apt-get install ${missing[*]}"
        return 1
    fi
    say "Installing ${missing[*]}"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    # The lists may be old and still good enough, so only a failing install is an error.
    as_root "${apt[@]}" update </dev/null >&2 || say "apt-get update failed; trying with the lists that are here."
    if ! as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >&2; then
        say "The packages could not be installed: ${missing[*]}"
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
