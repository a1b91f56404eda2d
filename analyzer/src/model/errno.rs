//! Errors of the kernel by name.
//!
//! Numbers are those of include/uapi/asm-generic/errno-base.h and errno.h, which most architectures use, and of
//! include/linux/errno.h, which are the kernel's own.

/// Errors from 1 on: errno-base.h and errno.h.
const NAMES: [&str; 133] = [
    "EPERM",
    "ENOENT",
    "ESRCH",
    "EINTR",
    "EIO",
    "ENXIO",
    "E2BIG",
    "ENOEXEC",
    "EBADF",
    "ECHILD",
    "EAGAIN",
    "ENOMEM",
    "EACCES",
    "EFAULT",
    "ENOTBLK",
    "EBUSY",
    "EEXIST",
    "EXDEV",
    "ENODEV",
    "ENOTDIR",
    "EISDIR",
    "EINVAL",
    "ENFILE",
    "EMFILE",
    "ENOTTY",
    "ETXTBSY",
    "EFBIG",
    "ENOSPC",
    "ESPIPE",
    "EROFS",
    "EMLINK",
    "EPIPE",
    "EDOM",
    "ERANGE",
    "EDEADLK",
    "ENAMETOOLONG",
    "ENOLCK",
    "ENOSYS",
    "ENOTEMPTY",
    "ELOOP",
    "",
    "ENOMSG",
    "EIDRM",
    "ECHRNG",
    "EL2NSYNC",
    "EL3HLT",
    "EL3RST",
    "ELNRNG",
    "EUNATCH",
    "ENOCSI",
    "EL2HLT",
    "EBADE",
    "EBADR",
    "EXFULL",
    "ENOANO",
    "EBADRQC",
    "EBADSLT",
    "",
    "EBFONT",
    "ENOSTR",
    "ENODATA",
    "ETIME",
    "ENOSR",
    "ENONET",
    "ENOPKG",
    "EREMOTE",
    "ENOLINK",
    "EADV",
    "ESRMNT",
    "ECOMM",
    "EPROTO",
    "EMULTIHOP",
    "EDOTDOT",
    "EBADMSG",
    "EOVERFLOW",
    "ENOTUNIQ",
    "EBADFD",
    "EREMCHG",
    "ELIBACC",
    "ELIBBAD",
    "ELIBSCN",
    "ELIBMAX",
    "ELIBEXEC",
    "EILSEQ",
    "ERESTART",
    "ESTRPIPE",
    "EUSERS",
    "ENOTSOCK",
    "EDESTADDRREQ",
    "EMSGSIZE",
    "EPROTOTYPE",
    "ENOPROTOOPT",
    "EPROTONOSUPPORT",
    "ESOCKTNOSUPPORT",
    "EOPNOTSUPP",
    "EPFNOSUPPORT",
    "EAFNOSUPPORT",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "ENETDOWN",
    "ENETUNREACH",
    "ENETRESET",
    "ECONNABORTED",
    "ECONNRESET",
    "ENOBUFS",
    "EISCONN",
    "ENOTCONN",
    "ESHUTDOWN",
    "ETOOMANYREFS",
    "ETIMEDOUT",
    "ECONNREFUSED",
    "EHOSTDOWN",
    "EHOSTUNREACH",
    "EALREADY",
    "EINPROGRESS",
    "ESTALE",
    "EUCLEAN",
    "ENOTNAM",
    "ENAVAIL",
    "EISNAM",
    "EREMOTEIO",
    "EDQUOT",
    "ENOMEDIUM",
    "EMEDIUMTYPE",
    "ECANCELED",
    "ENOKEY",
    "EKEYEXPIRED",
    "EKEYREVOKED",
    "EKEYREJECTED",
    "EOWNERDEAD",
    "ENOTRECOVERABLE",
    "ERFKILL",
    "EHWPOISON",
];

/// Those that no program sees: include/linux/errno.h.
const OWN: [(u64, &str); 17] = [
    (512, "ERESTARTSYS"),
    (513, "ERESTARTNOINTR"),
    (514, "ERESTARTNOHAND"),
    (515, "ENOIOCTLCMD"),
    (516, "ERESTART_RESTARTBLOCK"),
    (517, "EPROBE_DEFER"),
    (518, "EOPENSTALE"),
    (521, "EBADHANDLE"),
    (522, "ENOTSYNC"),
    (523, "EBADCOOKIE"),
    (524, "ENOTSUPP"),
    (525, "ETOOSMALL"),
    (526, "ESERVERFAULT"),
    (527, "EBADTYPE"),
    (528, "EJUKEBOX"),
    (529, "EIOCBQUEUED"),
    (530, "ERECALLCONFLICT"),
];

/// Largest error that stands in the place of a value: `MAX_ERRNO` of include/linux/err.h.
const MAX_ERRNO: u64 = 4095;

/// The error that a value below zero is; none if it is no error's place.
#[must_use]
pub fn errno(value: i64) -> Option<u64> {
    Some(value.unsigned_abs()).filter(|number| value < 0 && *number <= MAX_ERRNO)
}

/// The name of an error.
#[must_use]
pub fn errno_name(number: u64) -> Option<&'static str> {
    let common = usize::try_from(number).ok().and_then(|number| NAMES.get(number.checked_sub(1)?).copied());
    let own = || OWN.iter().find(|(own, _)| *own == number).map(|(_, name)| *name);
    common.filter(|name| !name.is_empty()).or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_of_the_headers() {
        for (number, name) in [
            (1, "EPERM"),
            (5, "EIO"),
            (11, "EAGAIN"),
            (28, "ENOSPC"),
            (34, "ERANGE"),
            (40, "ELOOP"),
            (42, "ENOMSG"),
            (61, "ENODATA"),
            (95, "EOPNOTSUPP"),
            (110, "ETIMEDOUT"),
            (117, "EUCLEAN"),
            (121, "EREMOTEIO"),
            (133, "EHWPOISON"),
            (512, "ERESTARTSYS"),
            (529, "EIOCBQUEUED"),
        ] {
            assert_eq!(errno_name(number), Some(name));
        }
        for number in [0, 41, 58, 134, 519, 531, u64::MAX] {
            assert_eq!(errno_name(number), None, "{number}");
        }
    }

    #[test]
    fn errors_are_few_of_the_values_below_zero() {
        let of = |value: i64| errno(value);
        assert_eq!((of(-5), of(-4095), of(-4096), of(0), of(5)), (Some(5), Some(4095), None, None, None));
        assert_eq!(of(i64::MIN), None);
    }
}
