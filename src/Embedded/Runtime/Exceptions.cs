// What a call can fail with, beside what the grain itself throws and TimeoutException.
namespace Orleans.Runtime
{
    public class OrleansException : Exception
    {
        public OrleansException() : base("Unexpected error.") { }

        public OrleansException(string message) : base(message) { }

        public OrleansException(string message, Exception innerException) : base(message, innerException) { }
    }

    public class OrleansMessageRejectionException : OrleansException
    {
        internal OrleansMessageRejectionException(string message) : base(message) { }

        internal OrleansMessageRejectionException(string message, Exception innerException) : base(message, innerException) { }
    }

    /// <summary>The silo that the call went to is not, or no longer, there.</summary>
    public sealed class SiloUnavailableException : OrleansMessageRejectionException
    {
        public SiloUnavailableException() : base("The silo is unavailable.") { }

        public SiloUnavailableException(string msg) : base(msg) { }

        public SiloUnavailableException(string message, Exception innerException) : base(message, innerException) { }
    }

    /// <summary>The client that holds the observer is gone.</summary>
    public sealed class ClientNotAvailableException : OrleansException
    {
        internal ClientNotAvailableException(string message) : base(message) { }
    }

    /// <summary>The enumerator behind an async stream is gone: swept for idleness, or its activation ended.</summary>
    public sealed class EnumerationAbortedException : Exception
    {
        public EnumerationAbortedException() { }

        public EnumerationAbortedException(string message) : base(message) { }

        public EnumerationAbortedException(string message, Exception innerException) : base(message, innerException) { }
    }

    /// <summary>The silo's start or stop was canceled.</summary>
    public sealed class OrleansLifecycleCanceledException : OrleansException
    {
        public OrleansLifecycleCanceledException(string message) : base(message) { }

        public OrleansLifecycleCanceledException(string message, Exception innerException) : base(message, innerException) { }
    }

    public sealed class OrleansConfigurationException : Exception
    {
        public OrleansConfigurationException(string message) : base(message) { }

        public OrleansConfigurationException(string message, Exception innerException) : base(message, innerException) { }
    }
}

namespace Orleans.Runtime.Messaging
{
    /// <summary>Nobody answers where a silo was expected.</summary>
    public class ConnectionFailedException : OrleansException
    {
        public ConnectionFailedException() : base("The connection failed.") { }

        public ConnectionFailedException(string message) : base(message) { }

        public ConnectionFailedException(string message, Exception innerException) : base(message, innerException) { }
    }
}
