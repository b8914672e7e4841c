// Compiles, for a grain method, a delegate that takes the target and its packed arguments and gives
// back the result as an object, whatever kind of task the method returns.
using System.Linq.Expressions;
using System.Reflection;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Calls;

internal delegate ValueTask<object?> Invoker(object target, object?[] arguments);

internal static class InvokerBuilder
{
    public static Invoker Build(MethodDescriptor descriptor)
    {
        var target = Expression.Parameter(typeof(object), "target");
        var arguments = Expression.Parameter(typeof(object?[]), "arguments");
        var unpacked = descriptor.ParameterTypes.Select((type, i) =>
            Expression.Convert(Expression.ArrayIndex(arguments, Expression.Constant(i)), type));
        var call = Expression.Call(Expression.Convert(target, descriptor.Method.DeclaringType!), descriptor.Method, unpacked);
        Expression body = descriptor.Kind switch
        {
            ReturnKind.Void => Expression.Block(call, Expression.Default(typeof(ValueTask<object?>))),
            ReturnKind.AsyncEnumerable => Expression.New(
                typeof(ValueTask<object?>).GetConstructor([typeof(object)])!, Expression.Convert(call, typeof(object))),
            ReturnKind.Task => Expression.Call(Adapter(nameof(FromTask)), call),
            ReturnKind.ValueTask => Expression.Call(Adapter(nameof(FromValueTask)), call),
            ReturnKind.TaskOfT => Expression.Call(Adapter(nameof(FromTaskOf)).MakeGenericMethod(descriptor.ResultType), call),
            _ => Expression.Call(Adapter(nameof(FromValueTaskOf)).MakeGenericMethod(descriptor.ResultType), call),
        };
        return Expression.Lambda<Invoker>(body, target, arguments).Compile();
    }

    private static MethodInfo Adapter(string name) =>
        typeof(InvokerBuilder).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!;

    private static ValueTask<object?> FromTask(Task task)
    {
        return task.IsCompletedSuccessfully ? default : Await(task);

        static async ValueTask<object?> Await(Task task)
        {
            await task;
            return null;
        }
    }

    private static ValueTask<object?> FromTaskOf<T>(Task<T> task)
    {
        return task.IsCompletedSuccessfully ? new(task.Result) : Await(task);

        static async ValueTask<object?> Await(Task<T> task) => await task;
    }

    private static ValueTask<object?> FromValueTask(ValueTask task)
    {
        if (!task.IsCompletedSuccessfully)
            return Await(task);
        task.GetAwaiter().GetResult();
        return default;

        static async ValueTask<object?> Await(ValueTask task)
        {
            await task;
            return null;
        }
    }

    private static ValueTask<object?> FromValueTaskOf<T>(ValueTask<T> task)
    {
        return task.IsCompletedSuccessfully ? new(task.Result) : Await(task);

        static async ValueTask<object?> Await(ValueTask<T> task) => await task;
    }
}
