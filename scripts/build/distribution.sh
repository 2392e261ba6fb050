# shellcheck shell=bash
# How to install on this system what a build needs, for the one line that says what is missing.

# install_hint WHAT: the command for git, a compiler, cmake or Python with its venv module
install_hint() {
    local family package
    family=$(system_family)
    package=$(package_of "$family" "$1")
    case $family in
        debian) echo "sudo apt-get install $package" ;;
        fedora) echo "sudo dnf install $package" ;;
        arch) echo "sudo pacman -S $package" ;;
        suse) echo "sudo zypper install $package" ;;
        alpine) echo "sudo apk add $package" ;;
        macos) if [ "$1" = git ] || [ "$1" = compiler ]; then echo "xcode-select --install"; else echo "brew install $package"; fi ;;
        *) echo "install $1 with this system's package manager" ;;
    esac
}

system_family() {
    if [ "$(uname -s)" = Darwin ]; then echo macos && return; fi
    local names=''
    # shellcheck disable=SC1091
    [ ! -r /etc/os-release ] || names=" $(. /etc/os-release && echo "${ID-} ${ID_LIKE-}") "
    case $names in
        *' debian '* | *' ubuntu '*) echo debian ;;
        *' fedora '* | *' rhel '* | *' centos '*) echo fedora ;;
        *' arch '*) echo arch ;;
        *suse*) echo suse ;;
        *' alpine '*) echo alpine ;;
        *) echo other ;;
    esac
}

package_of() {
    case $1-$2 in
        *-git) echo git ;;
        debian-compiler) echo g++ ;;
        arch-compiler) echo gcc ;;
        alpine-compiler) echo build-base ;;
        *-compiler) echo gcc-c++ ;;
        debian-cmake | fedora-cmake) echo "cmake ninja-build" ;;
        *-cmake) echo "cmake ninja" ;;
        debian-venv) echo python3-venv ;;
        arch-venv | macos-venv) echo python ;;
        *-venv) echo python3 ;;
    esac
}
